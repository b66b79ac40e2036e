#include "load/replay_fleet.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "load/fake_mqtt_server.h"
#include "load/replay_check.h"

namespace millrace::load {
namespace {

class ReplayFleetTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ =
        testing::TempDir() + "replay_fleet_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
    std::ofstream out(path_);
    out << "id,at,v\n";
    for (int i = 0; i < kRows; ++i) out << "d" << i % kDevices << "," << i * 10 / 1000.0 << "," << i << "\n";
    out.close();
    ReplayMapping mapping;
    mapping.key = "id";
    mapping.time = "at";
    auto loaded = ReplayScript::load({path_}, mapping, "run", 0);
    ASSERT_TRUE(loaded) << loaded.error().message();
    script_ = std::move(*loaded);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  /// What the server kept, held against the script as if it were a topic.
  ReplayCheck::Findings check(const FakeMqttServer& server, const ReplayFleet& fleet) {
    ReplayCheck check(script_, fleet.resent_by_device());
    for (const auto& [client, messages] : server.received) {
      for (const auto& message : messages)
        check.see("t", 0, client.substr(std::string_view("replay-").size()), message.payload);
    }
    return check.findings();
  }

  static constexpr int kRows = 2'000;
  static constexpr int kDevices = 7;
  std::string path_;
  ReplayScript script_;
};

TEST_F(ReplayFleetTest, EveryMessageArrivesOnceInOrderWithinTheWindow) {
  FakeMqttServer server({});
  ReplayPlan plan;
  plan.port = server.port();
  plan.in_flight = 5;
  ReplayFleet fleet(plan, script_);
  std::uint64_t calls = 0;
  const auto state = fleet.run([&calls](const ReplayState&) { ++calls; }, nullptr);
  ASSERT_TRUE(state) << state.error().message();
  server.stop();
  EXPECT_EQ(state->acknowledged, static_cast<std::uint64_t>(kRows));
  EXPECT_EQ(state->resent, 0U);
  EXPECT_GE(calls, 1U);
  EXPECT_LE(server.most_unacknowledged, 5U);
  EXPECT_EQ(server.connections, static_cast<std::uint64_t>(kDevices));
  const auto findings = check(server, fleet);
  EXPECT_TRUE(findings.good());
  EXPECT_EQ(findings.duplicates, 0U);
  for (const auto& message : server.received["replay-d0"]) EXPECT_FALSE(message.dup);
}

TEST_F(ReplayFleetTest, LostConnectionsLoseNothingAndKeepTheOrder) {
  for (const bool kept : {false, true}) {
    {
      const MqttVersion version = kept ? MqttVersion::v311 : MqttVersion::v5;
      FakeMqttServer server({.cut_every = 97, .acknowledge_before_cut = kept});
      ReplayPlan plan;
      plan.port = server.port();
      plan.version = version;
      ReplayFleet fleet(plan, script_);
      const auto state = fleet.run([](const ReplayState&) {}, nullptr);
      ASSERT_TRUE(state) << state.error().message();
      server.stop();
      EXPECT_EQ(state->acknowledged, static_cast<std::uint64_t>(kRows));
      EXPECT_GE(state->reconnects, 15U);
      EXPECT_GT(state->resent, 0U);
      const auto findings = check(server, fleet);
      EXPECT_TRUE(findings.good()) << (findings.examples.empty() ? "" : findings.examples[0]);
      if (kept) {
        EXPECT_GT(findings.duplicates, 0U);
      }
      std::uint64_t marked = 0;
      for (const auto& [client, messages] : server.received) {
        for (const auto& message : messages) marked += message.dup ? 1 : 0;
      }
      EXPECT_GT(marked, 0U);
    }
  }
}

TEST_F(ReplayFleetTest, RecordedSpeedIsKept) {
  FakeMqttServer server({});
  ReplayPlan plan;
  plan.port = server.port();
  plan.speed = 40;  // 20 s of recording
  ReplayFleet fleet(plan, script_);
  const auto state = fleet.run([](const ReplayState&) {}, nullptr);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(state->acknowledged, static_cast<std::uint64_t>(kRows));
  EXPECT_GE(state->seconds, 0.499);
  EXPECT_LT(state->seconds, 10);
}

TEST_F(ReplayFleetTest, ADeadServerIsGivenUpAndCounted) {
  FakeMqttServer server({.cut_every = 1});
  ReplayPlan plan;
  plan.port = server.port();
  plan.give_up = 0.3;
  ReplayFleet fleet(plan, script_);
  int stop = 0;
  const auto state = fleet.run([&](const ReplayState& now) { stop = now.seconds > 5 ? 1 : 0; }, &stop);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->acknowledged, 0U);
  EXPECT_FALSE(state->trouble.empty());
}

TEST_F(ReplayFleetTest, NoServerAtAllIsAnError) {
  ReplayPlan plan;
  {
    FakeMqttServer server({});
    plan.port = server.port();
  }
  ReplayFleet fleet(plan, script_);
  const auto state = fleet.run([](const ReplayState&) {}, nullptr);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::unavailable);
}

TEST_F(ReplayFleetTest, RefusedMessagesAreNotCountedAsAcknowledged) {
  FakeMqttServer server({.refuse_every = 4});
  ReplayPlan plan;
  plan.port = server.port();
  plan.version = MqttVersion::v5;
  ReplayFleet fleet(plan, script_);
  const auto state = fleet.run([](const ReplayState&) {}, nullptr);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->refused, static_cast<std::uint64_t>(kRows / 4));
  EXPECT_EQ(state->acknowledged + state->refused, static_cast<std::uint64_t>(kRows));
}

}  // namespace
}  // namespace millrace::load
