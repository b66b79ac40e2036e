// Subscriptions and live delivery: grants, wildcards, overlapping subscriptions, options, slow subscribers, other
// loops.
#include <gtest/gtest.h>

#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::Version;
using testing::from_hex;
using testing::TestClient;
using testing::TestServer;
using testing::with_length;

TEST(Subscribe, AnswersEachFilterInOrder) {
  TestServer server;
  TestClient client = server.client();
  client.connect("a");
  client.seen();
  client.send(
      with_length(0x82, from_hex("0009 00 0001'a' 00 0001'b' 01 0001'c' 02 0002'a#' 00 0000 00 000a'$share/g/a' 00")));
  EXPECT_EQ(client.seen(),
            "suback 9 success granted_qos_1 granted_qos_2 topic_filter_invalid topic_filter_invalid success");
  TestClient three = server.client(Version::v3_1_1);
  three.connect("b");
  three.seen();
  three.send(with_length(0x82, from_hex("0009 0001'a' 02 0002'a#' 00 000a'$share/g/a' 00")));
  EXPECT_EQ(three.seen(), "suback 9 granted_qos_2 unspecified_error success");
  three.send(with_length(0xA2, from_hex("000a 0001'a' 0001'z'")));
  client.send(with_length(0xA2, from_hex("000a 00 0001'a' 0001'z' 0002'a#'")));
  EXPECT_EQ(three.seen(), "unsuback 10");
  EXPECT_EQ(client.seen(), "unsuback 10 success no_subscription_existed topic_filter_invalid");
}

TEST(Subscribe, LimitsHold) {
  Settings settings;
  settings.max_subscriptions_per_session = 2;
  settings.max_topic_levels = 4;
  TestServer server(settings);
  TestClient client = server.client();
  client.connect("a");
  client.seen();
  client.subscribe("1");
  client.subscribe("2");
  client.subscribe("2", 1);  // replaced, not a third one
  client.subscribe("3");
  client.subscribe("+/+/+/+/+");
  EXPECT_EQ(client.seen(),
            "suback 1 success; suback 1 success; suback 1 granted_qos_1; suback 1 quota_exceeded; suback 1 "
            "topic_filter_invalid");
}

TEST(Delivery, FollowsTheLowerQos) {
  TestServer server;
  TestClient zero = server.client(Version::v3_1_1);
  TestClient one = server.client();
  TestClient device = server.client();
  zero.connect("zero");
  one.connect("one");
  device.connect("device");
  zero.subscribe("t/+", 0);
  one.subscribe("t/#", 2);
  zero.seen(), one.seen();
  device.publish("t/1", "a", 0);
  device.publish("t/1", "b", 1, 1);
  device.publish("t/1", "c", 2, 2);
  EXPECT_EQ(zero.seen(), "publish t/1 q0 [a]; publish t/1 q0 [b]; publish t/1 q0 [c]");
  EXPECT_EQ(one.seen(), "publish t/1 q0 [a]; publish t/1 q1 id=1 [b]; publish t/1 q2 id=2 [c]");
}

TEST(Delivery, StopsWithUnsubscribeAndWithTheConnection) {
  TestServer server;
  TestClient reader = server.client();
  TestClient device = server.client();
  reader.connect("reader");
  device.connect("device");
  reader.subscribe("a");
  reader.subscribe("b");
  reader.send(with_length(0xA2, from_hex("0001 00 0001'a'")));
  reader.seen();
  device.publish("a", "x");
  device.publish("b", "y");
  EXPECT_EQ(reader.seen(), "publish b q0 [y]");
  reader.drop();
  EXPECT_EQ(server.exchange().subscriptions.load(), 0U);
  device.publish("b", "z");
}

TEST(Delivery, OverlappingSubscriptionsGiveOneCopyWithAllIdentifiers) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader");
  reader.send(with_length(0x82, from_hex("0001 02 0b 01 0003't/#' 00")));
  reader.send(with_length(0x82, from_hex("0001 02 0b 02 0003't/+' 01")));
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  device.publish("t/1", "x", 1, 1);
  const std::string seen = reader.seen();
  EXPECT_TRUE(seen == "publish t/1 q1 id=1 subscription_identifier=1 subscription_identifier=2 [x]" ||
              seen == "publish t/1 q1 id=1 subscription_identifier=2 subscription_identifier=1 [x]")
      << seen;
}

TEST(Delivery, NoLocalAndRetainAsPublished) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader");
  reader.send(with_length(0x82, from_hex("0001 00 0001'a' 04")));  // no local
  reader.send(with_length(0x82, from_hex("0001 00 0001'b' 08")));  // retain as published
  reader.send(with_length(0x82, from_hex("0001 00 0001'c' 00")));
  reader.seen();
  reader.publish("a", "own");
  reader.publish("b", "x", 0, 0, true);
  reader.publish("c", "x", 0, 0, true);
  EXPECT_EQ(reader.seen(), "publish b q0 retain [x]; publish c q0 [x]");
  TestClient device = server.client();
  device.connect("device");
  device.publish("a", "other");
  EXPECT_EQ(reader.seen(), "publish a q0 [other]");
}

TEST(Delivery, PropertiesTravelButAliasesDoNot) {
  TestServer server;
  TestClient five = server.client();
  TestClient three = server.client(Version::v3_1_1);
  five.connect("five");
  three.connect("three");
  five.subscribe("#");
  three.subscribe("#");
  five.seen(), three.seen();
  TestClient device = server.client();
  device.connect("device");
  device.send(with_length(
      0x30, from_hex("0001't' 1d 23 0001 03 0004'json' 26 0001'k' 0001'v' 02 0000003c 26 0001'k' 0001'w' '{}'")));
  EXPECT_EQ(five.seen(),
            "publish t q0 content_type=json user_property=k:v user_property=k:w message_expiry_interval=60 [{}]");
  EXPECT_EQ(three.seen(), "publish t q0 [{}]");
}

TEST(Delivery, MaximumPacketSizeOfTheClient) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "27 00000040");
  reader.subscribe("#", 1);
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  device.publish("t", std::string(100, 'x'), 1, 1);
  device.publish("t", "small", 1, 2);
  EXPECT_EQ(reader.seen(), "publish t q1 id=1 [small]");
}

TEST(Delivery, ReceiveMaximumOfTheClientHoldsBackTheRest) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "21 0002");
  reader.subscribe("#", 1);
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  for (std::uint16_t i = 1; i <= 4; ++i) device.publish("t", std::to_string(i), 1, i);
  device.publish("t", "zero", 0);
  EXPECT_EQ(reader.seen(), "publish t q1 id=1 [1]; publish t q1 id=2 [2]; publish t q0 [zero]");
  reader.ack(PacketType::puback, 2);
  EXPECT_EQ(reader.seen(), "publish t q1 id=3 [3]");
  reader.ack(PacketType::puback, 2);  // answers nothing
  EXPECT_EQ(reader.seen(), "");
  reader.ack(PacketType::puback, 1);
  EXPECT_EQ(reader.seen(), "publish t q1 id=4 [4]");
}

TEST(Delivery, SlowSubscribersLoseQosZeroAndKeepQosOne) {
  Settings settings;
  settings.max_output_bytes = 1'000;
  TestServer server(settings);
  TestClient reader = server.client(Version::v3_1_1);
  reader.connect("reader");
  reader.subscribe("#", 1);
  reader.seen();
  reader.peer().takes_nothing = true;
  TestClient device = server.client();
  device.connect("device");
  const std::string payload(300, 'x');
  for (std::uint16_t i = 1; i <= 10; ++i) {
    device.publish("zero", payload, 0);
    device.publish("one", payload, 1, i);
  }
  EXPECT_NE(server.metrics().find("millrace_mqtt_messages_dropped_total{reason=\"slow_subscriber\"} 8"),
            std::string::npos)
      << server.metrics();
  reader.peer().takes_nothing = false;
  server.turn();
  std::size_t ones = 0;
  const std::string seen = reader.seen();
  for (std::size_t at = seen.find("publish one"); at != std::string::npos; at = seen.find("publish one", at + 1))
    ++ones;
  EXPECT_EQ(ones, 10U);
  EXPECT_FALSE(reader.closed());
}

TEST(Delivery, TooMuchWaitingClosesTheSlowOne) {
  Settings settings;
  settings.max_queued_bytes = 1'000;
  TestServer server(settings);
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "21 0001");
  reader.subscribe("#", 1);
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  for (std::uint16_t i = 1; i <= 6; ++i) device.publish("t", std::string(300, 'x'), 1, i);
  EXPECT_TRUE(reader.closed());
  EXPECT_TRUE(reader.seen().ends_with("disconnect quota_exceeded"));
  EXPECT_FALSE(device.closed());
}

TEST(Delivery, ExpiredWhileWaitingIsNotSent) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "21 0001");
  reader.subscribe("#", 1);
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  device.publish("t", "first", 1, 1);
  device.send(with_length(0x32, from_hex("0001't' 0002 05 02 00000005 'short'")));
  device.send(with_length(0x32, from_hex("0001't' 0003 05 02 0000000a 'long'")));
  server.seconds(6);
  EXPECT_EQ(reader.seen(), "publish t q1 id=1 [first]");
  reader.ack(PacketType::puback, 1);
  EXPECT_EQ(reader.seen(), "publish t q1 id=2 message_expiry_interval=4 [long]");  // [MQTT-3.3.2-6]
}

TEST(Delivery, LargePayloadsAreShared) {
  TestServer server;
  TestClient a = server.client();
  TestClient b = server.client(Version::v3_1_1);
  a.connect("a");
  b.connect("b");
  a.subscribe("#", 1);
  b.subscribe("#", 0);
  a.seen(), b.seen();
  TestClient device = server.client();
  device.connect("device");
  const std::string payload(10'000, 'p');
  device.publish("t", payload, 1, 1);
  EXPECT_EQ(a.seen(), "publish t q1 id=1 [" + payload + "]");
  EXPECT_EQ(b.seen(), "publish t q0 [" + payload + "]");
}

TEST(OtherLoops, GetEachMessageOnceAndInOrder) {
  TestServer server({}, 3);
  TestClient readers[] = {server.client(Version::v5, 0), server.client(Version::v5, 1), server.client(Version::v5, 2)};
  int n = 0;
  for (TestClient& reader : readers) {
    reader.connect("reader" + std::to_string(n++));
    reader.subscribe("t/#", 1);
    reader.seen();
  }
  TestClient device = server.client(Version::v5, 1);
  device.connect("device");
  device.publish("t/1", "a", 1, 1);
  device.publish("t/1", "b", 0);
  device.publish("u", "c", 0);
  for (TestClient& reader : readers) EXPECT_EQ(reader.seen(), "publish t/1 q1 id=1 [a]; publish t/1 q0 [b]");
}

TEST(OtherLoops, RepublishedMessagesReachAll) {
  TestServer server({}, 2);
  TestClient reader = server.client(Version::v5, 1);
  reader.connect("reader");
  EXPECT_FALSE(server.loop(0).publish("t", as_bytes("x"), 0, false));
  reader.subscribe("t", 1);
  reader.seen();
  EXPECT_TRUE(server.loop(0).publish("t", as_bytes("x"), 1, false));
  server.turn();
  EXPECT_EQ(reader.seen(), "publish t q1 id=1 [x]");
  EXPECT_TRUE(server.receiver(0).got.empty());
}

}  // namespace
}  // namespace millrace::mqtt
