// Messages from clients into the receiver: batches, acknowledgements and their order, QoS 2, aliases, flow control,
// pressure.
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

std::string publish_bytes(std::string_view topic, std::string_view payload, int qos, std::uint16_t id,
                          Version version = Version::v3_1_1) {
  Buffer out;
  protocol::Publish packet;
  packet.topic = topic;
  packet.payload = as_bytes(payload);
  packet.qos = static_cast<std::uint8_t>(qos);
  packet.packet_id = id;
  encode(out, packet, version);
  return std::string(as_text(out.view()));
}

TEST(Publish, AllOfOneReadGoInOneCall) {
  TestServer server;
  TestClient device = server.client(Version::v3_1_1);
  device.connect("device");
  std::string bytes;
  for (std::uint16_t i = 1; i <= 5; ++i)
    bytes += publish_bytes("a/b", "m" + std::to_string(i), i % 2, i % 2 != 0 ? i : 0);
  device.seen();
  device.send(bytes);
  const auto& receiver = server.receiver();
  ASSERT_EQ(receiver.calls, std::vector<std::size_t>{5});
  EXPECT_EQ(receiver.got[4].payload, "m5");
  EXPECT_EQ(receiver.got[4].topic, "a/b");
  EXPECT_EQ(receiver.got[4].client_id, "device");
  EXPECT_EQ(device.seen(), "puback 1 success; puback 3 success; puback 5 success");
}

TEST(Publish, LongReadsGoInPieces) {
  TestServer server;
  TestClient device = server.client(Version::v3_1_1);
  device.connect("device");
  std::string bytes;
  for (int i = 0; i < 600; ++i) bytes += publish_bytes("t", "x", 0, 0);
  device.send(bytes);
  EXPECT_EQ(server.receiver().calls, (std::vector<std::size_t>{256, 256, 88}));
}

TEST(Publish, NoAcknowledgementBeforeItIsSettled) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  device.connect("device");
  device.seen();
  device.publish("t", "x", 1, 7);
  device.publish("t", "y", 2, 8);
  EXPECT_EQ(device.seen(), "");
  server.receiver().settle();
  server.turn();
  EXPECT_EQ(device.seen(), "puback 7 success; pubrec 8 success");
}

TEST(Publish, ReasonsOfThePipeline) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient five = server.client();
  TestClient three = server.client(Version::v3_1_1);
  five.connect("five");
  three.connect("three");
  five.seen(), three.seen();
  five.publish("t", "x", 1, 1);
  five.publish("t", "x", 2, 2);
  three.publish("t", "x", 1, 1);
  server.receiver().settle(ReceiptStatus::no_match);
  server.turn();
  EXPECT_EQ(five.seen(), "puback 1 no_matching_subscribers; pubrec 2 no_matching_subscribers");
  EXPECT_EQ(three.seen(), "puback 1 success");
}

TEST(Publish, NoMatchWithASubscriberIsSuccess) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  TestClient reader = server.client();
  device.connect("device");
  reader.connect("reader");
  reader.subscribe("t");
  device.seen();
  device.publish("t", "x", 1, 1);
  device.publish("other", "x", 1, 2);
  server.receiver().settle(ReceiptStatus::no_match);
  server.turn();
  EXPECT_EQ(device.seen(), "puback 1 success; puback 2 no_matching_subscribers");
}

TEST(Publish, QuotaIsToldToFiveAndClosesThreeLater) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient five = server.client();
  TestClient three = server.client(Version::v3_1_1);
  five.connect("five");
  three.connect("three");
  five.seen(), three.seen();
  five.publish("t", "x", 1, 1);
  five.publish("t", "x", 2, 2);
  three.publish("t", "x", 1, 1);
  server.receiver().settle(ReceiptStatus::quota);
  server.turn();
  EXPECT_EQ(five.seen(), "puback 1 quota_exceeded; pubrec 2 quota_exceeded");
  EXPECT_EQ(three.seen(), "");
  EXPECT_TRUE(three.paused());
  server.seconds(9);
  EXPECT_FALSE(three.closed());
  server.seconds(3);
  EXPECT_TRUE(three.closed());
  EXPECT_FALSE(five.closed());
}

// [MQTT-4.3.3-9]
TEST(ExactlyOnce, ARefusedIdentifierIsFree) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  device.connect("device");
  device.seen();
  device.publish("t", "x", 2, 2);
  server.receiver().settle(ReceiptStatus::quota);
  server.turn();
  EXPECT_EQ(device.seen(), "pubrec 2 quota_exceeded");
  server.receiver().settles_by_itself = true;
  device.publish("t", "x", 2, 2);
  EXPECT_EQ(device.seen(), "pubrec 2 success");
}

TEST(ExactlyOnce, TheWholeExchangeHandsOverOnce) {
  TestServer server;
  TestClient device = server.client();
  device.connect("device");
  device.seen();
  device.publish("t", "x", 2, 9);
  device.publish("t", "x", 2, 9);  // repeated before PUBREL, DUP or not [MQTT-4.3.3-10]
  EXPECT_EQ(device.seen(), "pubrec 9 success; pubrec 9 success");
  EXPECT_EQ(server.receiver().got.size(), 1U);
  EXPECT_EQ(server.receiver().got[0].delivery_id, "");  // a session that ends with its connection needs no name
  device.ack(PacketType::pubrel, 9);
  device.ack(PacketType::pubrel, 9);
  EXPECT_EQ(device.seen(), "pubcomp 9 success; pubcomp 9 packet_identifier_not_found");
  device.publish("t", "y", 2, 9);
  EXPECT_EQ(device.seen(), "pubrec 9 success");
  EXPECT_EQ(server.receiver().got.size(), 2U);
}

TEST(ExactlyOnce, RepetitionBeforeItIsDurableGetsNoPubrecOfItsOwn) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  device.connect("device");
  device.seen();
  device.publish("t", "x", 2, 9);
  device.publish("t", "x", 2, 9);
  EXPECT_EQ(device.seen(), "");
  server.receiver().settle();
  server.turn();
  EXPECT_EQ(device.seen(), "pubrec 9 success");
  EXPECT_EQ(server.receiver().got.size(), 1U);
}

TEST(ExactlyOnce, PubcompWaitsUntilTheForgettingIsDurable) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  device.connect("device", false, 0, "11 00000e10");
  device.seen();
  device.publish("t", "x", 2, 9);
  EXPECT_EQ(server.receiver().got[0].delivery_id, std::string("device\0009", 8));
  server.receiver().settle();
  device.ack(PacketType::pubrel, 9);
  EXPECT_EQ(device.seen(), "pubrec 9 success");
  EXPECT_EQ(server.receiver().released, std::vector<std::string>{std::string("device\0009", 8)});
  server.receiver().settle();
  server.turn();
  EXPECT_EQ(device.seen(), "pubcomp 9 success");
}

TEST(ExactlyOnce, PubrelBeforePubrecIsAnError) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  device.connect("device");
  device.seen();
  device.publish("t", "x", 2, 9);
  device.ack(PacketType::pubrel, 9);
  EXPECT_EQ(device.seen(), "disconnect protocol_error");
}

TEST(TopicAlias, IsRememberedPerConnection) {
  TestServer server;
  TestClient device = server.client();
  device.connect("device");
  device.send_hex(
      "30 0a 0003'a/b' 03 23 0001 'x'"
      "30 07 0000 03 23 0001 'y'"
      "30 0a 0003'c/d' 03 23 0001 'z'"
      "30 07 0000 03 23 0001 'w'");
  const auto& got = server.receiver().got;
  ASSERT_EQ(got.size(), 4U);
  EXPECT_EQ(got[1].topic, "a/b");
  EXPECT_EQ(got[1].payload, "y");
  EXPECT_EQ(got[3].topic, "c/d");
  device.seen();
  device.send_hex("30 07 0000 03 23 0002 'y'");
  EXPECT_EQ(device.seen(), "disconnect protocol_error");
}

TEST(TopicAlias, ZeroAndAboveTheMaximumAreInvalid) {
  for (const char* alias : {"0000", "0011", "ffff"}) {
    TestServer server;
    TestClient device = server.client();
    device.connect("device");
    device.seen();
    device.send_hex(std::string("30 0a 0003'a/b' 03 23 ") + alias + "'x'");
    EXPECT_EQ(device.seen(), "disconnect topic_alias_invalid");
    EXPECT_TRUE(device.closed());
  }
}

TEST(ReceiveMaximum, OneMoreThanAllowedIsRefused) {
  Settings settings;
  settings.receive_maximum = 2;
  TestServer server(settings);
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  device.connect("device");
  EXPECT_EQ(device.seen(), "connack present=0 success");
  device.publish("t", "x", 1, 1);
  device.publish("t", "x", 2, 2);
  device.publish("t", "x", 0);  // QoS 0 does not count
  server.receiver().settle();
  device.publish("t", "x", 1, 3);  // one was acknowledged; the QoS 2 one still counts until PUBCOMP
  EXPECT_EQ(device.seen(), "puback 1 success; pubrec 2 success");
  device.publish("t", "x", 1, 4);
  EXPECT_EQ(device.seen(), "disconnect receive_maximum_exceeded");
  EXPECT_NE(server.metrics().find("millrace_mqtt_connections_closed_total{reason=\"receive_maximum_exceeded\"} 1"),
            std::string::npos);
}

TEST(ReceiveMaximum, StrayAcknowledgementsDoNotRaiseTheQuota) {
  Settings settings;
  settings.receive_maximum = 1;
  TestServer server(settings);
  server.receiver().settles_by_itself = false;
  TestClient device = server.client();
  device.connect("device");
  device.publish("t", "x", 1, 1);
  device.ack(PacketType::puback, 1);
  device.ack(PacketType::pubrel, 1);
  device.ack(PacketType::pubcomp, 1);
  device.seen();
  device.publish("t", "x", 1, 2);
  EXPECT_EQ(device.seen(), "disconnect receive_maximum_exceeded");
}

TEST(Pressure, PausesReadingUntilRelieved) {
  TestServer server;
  server.receiver().pressure = Pressure::pause;
  TestClient device = server.client();
  TestClient other = server.client();
  device.connect("device");
  other.connect("other");
  device.publish("t", "1");
  EXPECT_TRUE(device.paused());
  EXPECT_FALSE(other.paused());
  device.publish("t", "2");
  EXPECT_EQ(server.receiver().got.size(), 1U);
  server.seconds(100);
  server.receiver().relieve();
  server.turn();
  EXPECT_FALSE(device.paused());
  EXPECT_EQ(server.receiver().got.size(), 2U);
}

TEST(Pressure, SilenceWhilePausedIsNotHeldAgainstTheClient) {
  TestServer server;
  server.receiver().pressure = Pressure::pause;
  TestClient device = server.client();
  device.connect("device", true, 5);
  device.publish("t", "1");
  server.seconds(60);
  EXPECT_FALSE(device.closed());
  server.receiver().relieve();
  server.turn();
  server.seconds(20);
  EXPECT_TRUE(device.closed());
}

TEST(Publish, PropertiesReachTheReceiver) {
  TestServer server;
  TestClient device = server.client();
  protocol::Connect connect;
  connect.client_id = "device";
  connect.username = "fleet";
  device.connect(connect);
  device.send(with_length(
      0x31, from_hex("0003'a/b' 21 03 0004'json' 08 0003'r/t' 09 0001 ff 26 0001'k' 0001'v' 26 0001'k' 0001'w' "
                     "01 01 '{}'")));
  ASSERT_EQ(server.receiver().got.size(), 1U) << device.seen();
  const auto& got = server.receiver().got[0];
  EXPECT_EQ(got.properties, "content_type=json response_topic=r/t k:v k:w ");
  EXPECT_EQ(got.username, "fleet");
  EXPECT_EQ(got.payload, "{}");
  EXPECT_TRUE(got.retain);
}

}  // namespace
}  // namespace millrace::mqtt
