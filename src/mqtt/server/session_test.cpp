// Sessions across connections: take-over, in one loop and between loops, QoS 2 state, restored deliveries, wills.
#include <gtest/gtest.h>

#include "mqtt/server/restore.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::ReasonCode;
using protocol::Version;
using testing::TestClient;
using testing::TestServer;

constexpr const char* kHour = "11 00000e10";  // session expiry interval

protocol::Connect with_will(std::string_view id, const protocol::Properties& will_properties = {}) {
  protocol::Connect packet;
  packet.client_id = id;
  packet.will = protocol::Will{"w/t", as_bytes("gone"), 1, false, will_properties};
  return packet;
}

TEST(TakeOver, TheOlderConnectionIsTold) {
  for (const std::size_t other_loop : {0U, 1U}) {
    TestServer server({}, 2);
    TestClient older = server.client(Version::v5, 0);
    TestClient newer = server.client(Version::v5, other_loop);
    older.connect("same");
    older.seen();
    newer.connect("same");
    EXPECT_EQ(older.seen(), "disconnect session_taken_over");
    EXPECT_TRUE(older.closed());
    EXPECT_EQ(newer.seen(), "connack present=0 success");
    // The older one's end must not take the newer one's place away.
    server.turn();
    newer.publish("t", "x", 1, 1);
    EXPECT_EQ(newer.seen(), "puback 1 success");
    TestClient third = server.client(Version::v5, 0);
    third.connect("same");
    EXPECT_EQ(newer.seen(), "disconnect session_taken_over");
    EXPECT_EQ(third.seen(), "connack present=0 success");
  }
}

TEST(TakeOver, MovesTheSessionWithItsSubscriptions) {
  TestServer server({}, 2);
  TestClient older = server.client(Version::v5, 0);
  older.connect("same", false, 0, kHour);
  older.subscribe("t/#", 1);
  TestClient newer = server.client(Version::v5, 1);
  newer.connect("same", false, 0, kHour);
  EXPECT_EQ(newer.seen(), "connack present=1 success");
  TestClient device = server.client(Version::v5, 0);
  device.connect("device");
  device.publish("t/1", "x", 1, 1);
  EXPECT_EQ(newer.seen(), "publish t/1 q1 id=1 [x]");
  // Not acknowledged: the next owner gets it again, as a repetition and under its identifier [MQTT-4.4.0-1].
  TestClient last = server.client(Version::v5, 0);
  last.connect("same", false, 0, kHour);
  EXPECT_EQ(last.seen(), "connack present=1 success; publish t/1 q1 id=1 dup [x]");
  last.ack(PacketType::puback, 1);
  device.publish("t/2", "y", 1, 2);
  EXPECT_EQ(last.seen(), "publish t/2 q1 id=2 [y]");
}

TEST(TakeOver, CleanStartDropsTheSession) {
  TestServer server;
  TestClient older = server.client();
  older.connect("same", false, 0, kHour);
  older.subscribe("t");
  TestClient newer = server.client();
  newer.connect("same", true, 0, kHour);
  EXPECT_EQ(newer.seen(), "connack present=0 success");
  newer.publish("t", "x");
  EXPECT_EQ(newer.seen(), "");
  EXPECT_EQ(server.exchange().subscriptions.load(), 0U);
}

TEST(TakeOver, WaitsForUnsettledExactlyOnceDeliveries) {
  TestServer server({}, 2);
  server.receiver(0).settles_by_itself = false;
  TestClient older = server.client(Version::v5, 0);
  older.connect("same", false, 0, kHour);
  older.publish("t", "x", 2, 5);
  TestClient newer = server.client(Version::v5, 1);
  newer.connect("same", false, 0, kHour);
  newer.publish("t", "x", 2, 5);  // sent again before CONNACK, which is allowed
  EXPECT_EQ(newer.seen(), "");
  server.receiver(0).settle();
  server.turn();
  EXPECT_EQ(newer.seen(), "connack present=1 success; pubrec 5 success");
  EXPECT_EQ(server.receiver(0).got.size() + server.receiver(1).got.size(), 1U);
}

TEST(TakeOver, OfOneThatStillWaits) {
  TestServer server({}, 2);
  server.receiver(0).settles_by_itself = false;
  TestClient first = server.client(Version::v5, 0);
  first.connect("same", false, 0, kHour);
  first.publish("t", "x", 2, 5);
  TestClient second = server.client(Version::v5, 1);
  second.connect("same", false, 0, kHour);
  TestClient third = server.client(Version::v5, 0);
  third.connect("same", false, 0, kHour);
  EXPECT_TRUE(second.closed());
  EXPECT_EQ(third.seen(), "");
  server.receiver(0).settle();
  server.turn();
  EXPECT_EQ(third.seen(), "connack present=1 success");
}

TEST(TakeOver, TheWaitingOneMayLeave) {
  TestServer server({}, 2);
  server.receiver(0).settles_by_itself = false;
  TestClient first = server.client(Version::v5, 0);
  first.connect("same", false, 0, kHour);
  first.publish("t", "x", 2, 5);
  TestClient second = server.client(Version::v5, 1);
  second.connect("same", false, 0, kHour);
  second.drop();
  server.receiver(0).settle();
  server.turn();
  TestClient third = server.client(Version::v5, 1);
  third.connect("same", false, 0, kHour);
  EXPECT_EQ(third.seen(), "connack present=1 success");
}

TEST(Session, ExactlyOnceStateSurvivesTheConnection) {
  TestServer server;
  TestClient first = server.client();
  first.connect("device", false, 0, kHour);
  first.publish("t", "x", 2, 5);
  first.drop();
  TestClient second = server.client();
  second.connect("device", false, 0, kHour);
  EXPECT_EQ(second.seen(), "connack present=1 success");
  second.publish("t", "x", 2, 5);
  second.ack(PacketType::pubrel, 5);
  EXPECT_EQ(second.seen(), "pubrec 5 success; pubcomp 5 success");
  EXPECT_EQ(server.receiver().got.size(), 1U);
  EXPECT_EQ(server.receiver().released.size(), 1U);
}

TEST(Session, PendingAtTheDropIsRecordedWhenSettled) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient first = server.client(Version::v3_1_1);
  first.connect("device", false);
  first.publish("t", "x", 2, 5);
  first.drop();
  EXPECT_EQ(server.loop().connection_count(), 1U);
  server.receiver().settle();
  server.turn();
  EXPECT_EQ(server.loop().connection_count(), 0U);
  TestClient second = server.client(Version::v3_1_1);
  second.connect("device", false);
  second.publish("t", "x", 2, 5);
  EXPECT_EQ(second.seen(), "connack present=1 success; pubrec 5 success");
  EXPECT_EQ(server.receiver().got.size(), 1U);
}

TEST(Session, WithoutStateIsNotPresent) {
  TestServer server;
  TestClient first = server.client();
  first.connect("device", false, 0, kHour);
  first.subscribe("t");
  first.disconnect();
  TestClient second = server.client();
  second.connect("device", false, 0, kHour);
  EXPECT_EQ(second.seen(), "connack present=0 success");
}

TEST(Session, EndsWithItsExpiryAndForgetsItsDeliveries) {
  TestServer server;
  TestClient first = server.client();
  first.connect("device", false, 0, "11 0000000a");
  first.publish("t", "x", 2, 5);
  first.drop();
  server.seconds(9);
  EXPECT_TRUE(server.receiver().released.empty());
  server.seconds(2);
  EXPECT_EQ(server.receiver().released, std::vector<std::string>{std::string("device\0005", 8)});
  TestClient second = server.client();
  second.connect("device", false, 0, "11 0000000a");
  EXPECT_EQ(second.seen(), "connack present=0 success");
}

TEST(Session, DisconnectMayShortenItsExpiry) {
  TestServer server;
  TestClient first = server.client();
  first.connect("device", false, 0, kHour);
  first.publish("t", "x", 2, 5);
  first.send_hex("e0 07 00 05 11 00000000");
  EXPECT_EQ(server.receiver().released.size(), 1U);
  TestClient second = server.client();
  second.connect("device", false, 0, kHour);
  EXPECT_EQ(second.seen(), "connack present=0 success");
}

TEST(Session, RestoredDeliveriesAreFoundAfterARestart) {
  TestServer server;
  const std::string deliveries[] = {std::string("device\0005", 8), std::string("device\0006", 8),
                                    std::string("other\0005", 7)};
  ASSERT_TRUE(restore_sessions({}, server.exchange(), deliveries));
  TestClient device = server.client(Version::v3_1_1);
  device.connect("device", false);
  device.publish("t", "x", 2, 5);
  device.publish("t", "y", 2, 7);
  device.ack(PacketType::pubrel, 6);
  EXPECT_EQ(device.seen(), "connack present=1 success; pubrec 5 success; pubrec 7 success; pubcomp 6 success");
  ASSERT_EQ(server.receiver().got.size(), 1U);
  EXPECT_EQ(server.receiver().got[0].payload, "y");
  // A clean start means a new beginning: the log forgets.
  TestClient other = server.client(Version::v3_1_1);
  other.connect("other", true);
  EXPECT_EQ(other.seen(), "connack present=0 success");
  EXPECT_EQ(server.receiver().released.back(), std::string("other\0005", 7));
}

TEST(DeliveryId, ParsesWhatItMakesAndNothingElse) {
  std::string id;
  append_delivery_id(id, "a\0b", 65'535);
  EXPECT_EQ(parse_delivery_id(id)->packet_id, 65'535);
  for (const std::string& bad : {std::string(), std::string("a"), std::string("a\0", 2), std::string("a\0x", 3),
                                 std::string("a\0000", 4), std::string("a\00065536", 7), std::string("a\0001 ", 4)}) {
    EXPECT_FALSE(parse_delivery_id(bad).has_value());
  }
}

TEST(Will, IsPublishedWhenTheConnectionBreaks) {
  TestServer server({}, 2);
  TestClient watcher = server.client(Version::v5, 1);
  watcher.connect("watcher");
  watcher.subscribe("w/#", 1);
  watcher.seen();
  TestClient device = server.client();
  device.connect(with_will("device"));
  device.drop();
  EXPECT_EQ(watcher.seen(), "publish w/t q1 id=1 [gone]");
  ASSERT_EQ(server.receiver().got.size(), 1U);  // the rules see it too
  EXPECT_EQ(server.receiver().got[0].client_id, "device");
}

TEST(Will, IsDroppedByANormalDisconnectOnly) {
  for (const bool normal : {true, false}) {
    TestServer server;
    TestClient device = server.client();
    device.connect(with_will("device"));
    device.disconnect(normal ? ReasonCode::success : ReasonCode::disconnect_with_will_message);
    EXPECT_EQ(server.receiver().got.size(), normal ? 0U : 1U);
  }
}

TEST(Will, IsPublishedAtKeepAliveTimeoutAndAfterAnError) {
  TestServer server;
  TestClient silent = server.client();
  protocol::Connect connect = with_will("silent");
  connect.keep_alive_s = 2;
  silent.connect(connect);
  server.seconds(6);
  EXPECT_EQ(server.receiver().got.size(), 1U);
  TestClient rude = server.client();
  rude.connect(with_will("rude"));
  rude.send_hex("c100");
  EXPECT_EQ(server.receiver().got.size(), 2U);
}

struct DelayedWill {
  DelayedWill() { protocol::PropertyWriter(block).add(protocol::PropertyId::will_delay_interval, 5U); }
  protocol::Properties properties() { return *protocol::validate_properties(block.view(), protocol::kWillProperties); }
  Buffer block;
};

TEST(Will, WithADelayWaitsAndIsCancelledByReconnecting) {
  DelayedWill delayed;
  TestServer server;
  TestClient device = server.client();
  device.connect(with_will("device", delayed.properties()), kHour);
  device.drop();
  server.seconds(4);
  TestClient again = server.client();
  again.connect("device", false, 0, kHour);  // [MQTT-3.1.3-9]
  server.seconds(20);
  EXPECT_TRUE(server.receiver().got.empty());
  again.drop();
  TestClient third = server.client();
  third.connect(with_will("device", delayed.properties()), kHour);
  third.drop();
  server.seconds(6);
  EXPECT_EQ(server.receiver().got.size(), 1U);
  server.seconds(20);
  EXPECT_EQ(server.receiver().got.size(), 1U);
}

TEST(Will, IsNotDelayedBeyondItsSession) {
  DelayedWill delayed;
  TestServer server;
  TestClient brief = server.client();
  brief.connect(with_will("brief", delayed.properties()));  // session expiry 0
  brief.drop();
  EXPECT_EQ(server.receiver().got.size(), 1U);
  TestClient two = server.client();
  two.connect(with_will("two", delayed.properties()), "11 00000002");
  two.drop();
  server.seconds(1);
  EXPECT_EQ(server.receiver().got.size(), 1U);
  server.seconds(2);
  EXPECT_EQ(server.receiver().got.size(), 2U);
}

TEST(Will, AtTakeOver) {
  DelayedWill delayed;
  // The session goes on and the will has a delay: not sent. Clean start ends the session: sent at once.
  for (const bool clean : {false, true}) {
    TestServer server;
    TestClient older = server.client();
    older.connect(with_will("same", delayed.properties()), kHour);
    TestClient newer = server.client();
    newer.connect("same", clean, 0, kHour);
    EXPECT_EQ(server.receiver().got.size(), clean ? 1U : 0U);
    server.seconds(20);
    EXPECT_EQ(server.receiver().got.size(), clean ? 1U : 0U);
  }
  // Without a delay it is sent at every take-over (3.1.2.5).
  TestServer server;
  TestClient older = server.client();
  older.connect(with_will("same"), kHour);
  TestClient newer = server.client();
  newer.connect("same", false, 0, kHour);
  EXPECT_EQ(server.receiver().got.size(), 1U);
}

}  // namespace
}  // namespace millrace::mqtt
