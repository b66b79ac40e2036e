// The instrument against servers with known faults: what it reports must be what the server did.
#include "load/mqtt_run.h"

#include <gtest/gtest.h>

#include "load/fake_mqtt_server.h"

namespace millrace::load {
namespace {

using std::chrono::milliseconds;
constexpr std::uint64_t kMs = 1'000'000;

MqttPlan short_plan(const FakeMqttServer& server) {
  MqttPlan plan;
  plan.port = server.port();
  plan.publishers = 4;
  plan.warmup = 0.05;
  plan.duration = 0.4;
  plan.drain = 2;
  return plan;
}

TEST(MqttRun, EveryQosIsAcknowledgedInFullAndWithinItsWindow) {
  for (const std::int64_t qos : {0, 1, 2}) {
    for (const MqttVersion version : {MqttVersion::v311, MqttVersion::v5}) {
      FakeMqttServer server({});
      MqttPlan plan = short_plan(server);
      plan.qos = qos;
      plan.version = version;
      plan.window = 10;
      plan.duration = 0.1;
      const Result<MqttResult> result = MqttRun(plan).run();
      ASSERT_TRUE(result) << result.error().message();
      server.stop();
      EXPECT_GT(result->total_sent, 100U);
      EXPECT_EQ(result->total_acknowledged, result->total_sent);
      EXPECT_EQ(server.messages, result->total_sent);
      EXPECT_EQ(result->lost_connections, 0U) << result->first_loss;
      EXPECT_LE(server.most_unacknowledged, 10U);
    }
  }
}

TEST(MqttRun, AKnownDelayIsShown) {
  FakeMqttServer server({.acknowledge_after = milliseconds(30)});
  MqttPlan plan = short_plan(server);
  plan.rate = 1'000;
  const Result<MqttResult> result = MqttRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_GE(result->acknowledgement.min(), 30 * kMs);
  EXPECT_LT(result->acknowledgement.min(), 60 * kMs);
  // What is due within 0.45 s, and not one more; a machine that takes the core away can only make it less.
  EXPECT_LE(result->total_sent, 451U);
  EXPECT_GE(result->total_sent, 150U);
  EXPECT_EQ(result->total_acknowledged, result->total_sent);
}

TEST(MqttRun, ClosedLoopLatencyIsWindowOverThroughput) {
  FakeMqttServer server({.acknowledge_after = milliseconds(20)});
  MqttPlan plan = short_plan(server);
  plan.window = 5;
  const Result<MqttResult> result = MqttRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  const double throughput = static_cast<double>(result->acknowledged) / result->seconds;
  EXPECT_LE(throughput, 4 * 5 / 0.020 * 1.05);
  EXPECT_NEAR(result->acknowledgement.mean() / 1e9 * throughput, 20, 5);
}

TEST(MqttRun, AStallIsChargedToEveryMessageThatWasDueMeanwhile) {
  FakeMqttServer server({.stall_at_message = 200, .stall_for = milliseconds(300)});
  MqttPlan plan = short_plan(server);
  plan.window = 20;  // most of what is due during the stall cannot even be sent
  plan.rate = 1'000;
  plan.duration = 1;
  const Result<MqttResult> result = MqttRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->total_acknowledged, result->total_sent);
  EXPECT_GE(result->acknowledgement.max(), 290 * kMs);
  // 300 of 1,000 messages were due during the stall, evenly: 100 of them 200 ms or more before its end.
  EXPECT_GE(result->acknowledgement.at_share(0.92), 190 * kMs);
  EXPECT_GE(result->lateness.at_share(0.92), 100 * kMs);
}

TEST(MqttRun, Qos0ProgressIsWhatTheServerReadNotWhatTheSocketsTook) {
  FakeMqttServer server({.stall_at_message = 1, .stall_for = milliseconds(700)});
  MqttPlan plan = short_plan(server);
  plan.qos = 0;
  const Result<MqttResult> result = MqttRun(plan).run();  // measured within the stall
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->acknowledged, 0U);
  EXPECT_GT(result->total_sent, 0U);
  EXPECT_EQ(result->total_acknowledged, result->total_sent);  // after the drain
}

TEST(MqttRun, SubscribersSeeEveryMessageOnceAndItsAge) {
  for (const bool json : {false, true}) {
    FakeMqttServer server({});
    MqttPlan plan = short_plan(server);
    plan.subscribers = 3;
    plan.rate = 2'000;
    plan.payload = {json, 256, "log"};
    const Result<MqttResult> result = MqttRun(plan).run();
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(result->total_delivered, result->total_sent * 3);
    EXPECT_EQ(result->missing, 0U);
    EXPECT_EQ(result->backwards, 0U);
    EXPECT_GE(result->end_to_end.count(), result->delivered);
    EXPECT_GT(result->end_to_end.min(), 0U);
  }
}

TEST(MqttRun, ReceiveMaximumOfTheServerNarrowsTheWindow) {
  FakeMqttServer server({.acknowledge_after = milliseconds(1), .receive_maximum = 3});
  MqttPlan plan = short_plan(server);
  plan.version = MqttVersion::v5;
  plan.duration = 0.1;
  const Result<MqttResult> result = MqttRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  server.stop();
  EXPECT_LE(server.most_unacknowledged, 3U);
  EXPECT_GT(result->total_acknowledged, 0U);
}

TEST(MqttRun, RefusalsAndLostConnectionsAreCountedNotHidden) {
  {
    FakeMqttServer server({.refuse_every = 10});
    MqttPlan plan = short_plan(server);
    plan.version = MqttVersion::v5;
    plan.duration = 0.1;
    const Result<MqttResult> result = MqttRun(plan).run();
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_GT(result->refused, 0U);
    EXPECT_EQ(result->refused + result->total_acknowledged, result->total_sent);
  }
  FakeMqttServer server({.cut_every = 500});
  MqttPlan plan = short_plan(server);
  const Result<MqttResult> result = MqttRun(plan).run();
  if (result) {
    EXPECT_GT(result->lost_connections, 0U);
  } else {
    EXPECT_EQ(result.error().code, ErrorCode::unavailable);
  }
}

TEST(MqttRun, StormBringsEveryConnectionBack) {
  FakeMqttServer server({});
  MqttPlan plan = short_plan(server);
  plan.publishers = 0;
  plan.idle = 100;
  plan.storms = 2;
  plan.duration = 0;
  plan.warmup = 0.01;
  const Result<MqttResult> result = MqttRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  server.stop();
  ASSERT_EQ(result->storms.size(), 2U);
  for (const ConnectPhase& storm : result->storms) {
    EXPECT_EQ(storm.up, 100U);
    EXPECT_EQ(storm.latency.count(), 100U);
  }
  EXPECT_EQ(server.connections, 300U);
}

TEST(MqttRun, NoServerIsAnErrorThatNamesIt) {
  MqttPlan plan;
  {
    FakeMqttServer server({});
    plan.port = server.port();
  }
  plan.connect_timeout = 1;
  const Result<MqttResult> result = MqttRun(plan).run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::unavailable);
  EXPECT_NE(result.error().detail.find("127.0.0.1"), std::string::npos);
}

}  // namespace
}  // namespace millrace::load
