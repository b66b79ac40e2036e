// Shared subscriptions (4.8.2): each message to one member, across loops; what a member leaves behind; QoS 2 towards
// subscribers (4.3.3); topic aliases towards clients (3.3.2.3.4); flow control after a reconnect (4.9).
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::ReasonCode;
using protocol::Version;
using testing::from_hex;
using testing::TestClient;
using testing::TestServer;
using testing::with_length;

constexpr const char* kHour = "11 00000e10";

TEST(Share, EachMessageGoesToOneMember) {
  for (const std::size_t loops : {1U, 2U, 3U}) {
    TestServer server({}, loops);
    std::vector<TestClient> members;
    for (std::size_t i = 0; i < 3; ++i) {
      members.push_back(server.client(Version::v5, i % loops));
      members.back().connect(fmt::format("member{}", i));
      members.back().subscribe("$share/group/t/#", 1);
      EXPECT_EQ(members.back().seen(), "connack present=0 success; suback 1 granted_qos_1");
    }
    TestClient plain = server.client(Version::v5, loops - 1);
    plain.connect("plain");
    plain.subscribe("t/#", 1);
    plain.seen();
    TestClient device = server.client();
    device.connect("device");
    std::string all;
    for (int i = 1; i <= 6; ++i) {
      device.publish(fmt::format("t/{}", i), "x", 1, static_cast<std::uint16_t>(i));
      for (TestClient& member : members) {
        const std::string seen = member.seen();
        if (!seen.empty()) all += seen.substr(0, 11) + ";";
      }
    }
    EXPECT_EQ(all, "publish t/1;publish t/2;publish t/3;publish t/4;publish t/5;publish t/6;") << loops;
    EXPECT_EQ(server.exchange().subscriptions.load(), 2U);
    for (TestClient& member : members) member.disconnect();
    plain.disconnect();
    server.turn();
    EXPECT_EQ(server.exchange().subscriptions.load(), 0U);
  }
}

TEST(Share, WhatAMemberDidNotAcknowledgeGoesToAnother) {
  TestServer server({}, 2);
  TestClient first = server.client(Version::v5, 0);
  first.connect("first");
  first.subscribe("$share/g/t", 2);
  TestClient device = server.client(Version::v5, 1);
  device.connect("device");
  device.publish("t", "one", 1, 1);
  device.publish("t", "two", 2, 2);
  first.seen();
  TestClient second = server.client(Version::v5, 1);
  second.connect("second");
  second.subscribe("$share/g/t", 2);
  second.seen();
  first.drop();
  // QoS 1 moves; QoS 2 must not once it was sent [MQTT-4.8.2-5].
  EXPECT_EQ(second.seen(), "publish t q1 id=1 [one]");
}

TEST(Share, AMemberWithoutRoomIsPassedOver) {
  TestServer server;
  TestClient busy = server.client();
  busy.connect("busy", true, 0, "21 0001");
  busy.subscribe("$share/g/t", 1);
  TestClient idle = server.client();
  idle.connect("idle");
  idle.subscribe("$share/g/t", 1);
  busy.seen(), idle.seen();
  TestClient device = server.client();
  device.connect("device");
  for (std::uint16_t i = 1; i <= 4; ++i) device.publish("t", fmt::to_string(i), 1, i);
  EXPECT_EQ(busy.seen(), "publish t q1 id=1 [1]");
  EXPECT_EQ(idle.seen(), "publish t q1 id=1 [2]; publish t q1 id=2 [3]; publish t q1 id=3 [4]");
}

TEST(Share, NoLocalIsAProtocolError) {
  TestServer server;
  TestClient client = server.client();
  client.connect("a");
  client.seen();
  client.send(with_length(0x82, from_hex("0001 00 000a'$share/g/a' 04")));
  EXPECT_EQ(client.seen(), "disconnect protocol_error");  // [MQTT-3.8.3-4]
}

TEST(QosTwoOut, RunsItsFourPackets) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "21 0001");
  reader.subscribe("t", 2);
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  device.publish("t", "x", 2, 1);
  device.publish("t", "y", 2, 2);
  EXPECT_EQ(reader.seen(), "publish t q2 id=1 [x]");
  reader.ack(PacketType::pubrec, 1);
  EXPECT_EQ(reader.seen(), "pubrel 1 success");  // still counts against Receive Maximum until PUBCOMP (4.9)
  reader.ack(PacketType::pubrec, 1);
  EXPECT_EQ(reader.seen(), "pubrel 1 success");
  reader.ack(PacketType::pubcomp, 1);
  EXPECT_EQ(reader.seen(), "publish t q2 id=2 [y]");
  // A PUBREC that refuses ends the flow and frees the identifier (4.3.3).
  reader.send(protocol::Packet(protocol::PublishAck{PacketType::pubrec, 2, ReasonCode::quota_exceeded, {}}));
  device.publish("t", "z", 2, 3);
  EXPECT_EQ(reader.seen(), "publish t q2 id=3 [z]");
}

TEST(QosTwoOut, StrayAnswersChangeNothing) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "21 0001");
  reader.subscribe("t", 2);
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  device.publish("t", "x", 2, 1);
  device.publish("t", "y", 2, 2);
  reader.seen();
  reader.ack(PacketType::pubrec, 9);
  EXPECT_EQ(reader.seen(), "pubrel 9 packet_identifier_not_found");  // 3.6.2.1
  reader.ack(PacketType::pubcomp, 9);
  reader.ack(PacketType::puback, 1);   // of another QoS
  reader.ack(PacketType::pubcomp, 1);  // before PUBREC
  EXPECT_EQ(reader.seen(), "");        // the quota did not grow (4.9)
}

TEST(QosTwoOut, SurvivesATakeOverInBothStates) {
  TestServer server({}, 2);
  TestClient reader = server.client(Version::v5, 0);
  reader.connect("reader", false, 0, kHour);
  reader.subscribe("t", 2);
  TestClient device = server.client(Version::v5, 1);
  device.connect("device");
  device.publish("t", "x", 2, 1);
  device.publish("t", "y", 2, 2);
  reader.ack(PacketType::pubrec, 1);
  reader.seen();
  TestClient again = server.client(Version::v5, 1);
  again.connect("reader", false, 0, kHour);
  EXPECT_EQ(again.seen(), "connack present=1 success; pubrel 1 success; publish t q2 id=2 dup [y]");
  again.ack(PacketType::pubcomp, 1);
  again.ack(PacketType::pubrec, 2);
  EXPECT_EQ(again.seen(), "pubrel 2 success");
}

TEST(FlowControl, WhatIsSentAgainCountsAgainstTheNewReceiveMaximum) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader", false, 0, kHour);
  reader.subscribe("t", 1);
  TestClient device = server.client();
  device.connect("device");
  for (std::uint16_t i = 1; i <= 3; ++i) device.publish("t", fmt::to_string(i), 1, i);
  reader.seen();
  TestClient again = server.client();
  again.connect("reader", false, 0, "11 00000e10 21 0002");
  EXPECT_EQ(again.seen(), "connack present=1 success; publish t q1 id=1 dup [1]; publish t q1 id=2 dup [2]");
  device.publish("t", "4", 1, 4);
  EXPECT_EQ(again.seen(), "");
  again.ack(PacketType::puback, 1);
  EXPECT_EQ(again.seen(), "publish t q1 id=3 dup [3]");  // [MQTT-4.4.0-1]: in order, before anything new
  again.ack(PacketType::puback, 2);
  EXPECT_EQ(again.seen(), "publish t q1 id=4 [4]");
}

TEST(AliasOut, IsUsedAsFarAsTheClientAllows) {
  TestServer server;
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "22 0001");  // Topic Alias Maximum 1
  reader.subscribe("#", 1);
  reader.seen();
  TestClient device = server.client();
  device.connect("device");
  device.publish("a", "1");
  device.publish("a", "2", 1, 1);
  device.publish("b", "3");
  EXPECT_EQ(reader.seen(), "publish a q0 topic_alias=1 [1]; publish  q1 id=1 topic_alias=1 [2]; publish b q0 [3]");
  TestClient without = server.client();
  without.connect("without");
  without.subscribe("#");
  without.seen();
  device.publish("a", "4");
  EXPECT_EQ(without.seen(), "publish a q0 [4]");  // [MQTT-3.1.2-27]
}

TEST(Capacity, OneTooManyIsToldInItsConnack) {
  Settings settings;
  settings.max_connections = 1;
  TestServer server(settings);
  TestClient first = server.client();
  first.connect("first");
  TestClient second = server.client();
  second.connect("second");
  EXPECT_EQ(second.seen(), "connack present=0 quota_exceeded");
  TestClient three = server.client(Version::v3_1_1);
  three.connect("three");
  EXPECT_EQ(three.seen(), "connack present=0 server_unavailable");
  first.disconnect();
  server.turn();
  TestClient third = server.client();
  third.connect("third");
  EXPECT_EQ(third.seen(), "connack present=0 success");
}

}  // namespace
}  // namespace millrace::mqtt
