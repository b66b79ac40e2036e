// Rules that brokers are known to get wrong and that no other test here shows. The number is the row of the table of
// edge cases in docs/mqtt-conformance.md, which names the tests of the other rows.
#include <gtest/gtest.h>

#include <functional>

#include "mqtt/testing/durable_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::ReasonCode;
using protocol::Version;
using testing::Durable;
using testing::from_hex;
using testing::TestClient;

constexpr const char* kHour = "11 00000e10";

protocol::Connect with_will(bool retain, std::string_view properties) {
  protocol::Connect packet;
  packet.clean_start = false;
  packet.client_id = "device";
  protocol::Will will;
  will.topic = "will";
  will.payload = as_bytes(std::string_view("gone"));
  will.retain = retain;
  will.properties = protocol::validate_properties(as_bytes(properties), protocol::kWillProperties).value();
  packet.will = will;
  return packet;
}

struct EdgeCase {
  int row;
  const char* rule;
  std::function<void(Durable&)> play;
};

const EdgeCase kCases[] = {
    {4, "a will that is delayed and retained is retained (3.1.2.7)",
     [](Durable& server) {
       const std::string delay = from_hex("18 00000002");
       TestClient device = server->client();
       device.connect(with_will(true, delay), kHour);
       device.drop();
       server->seconds(4);
       TestClient late = server.client("late");
       late.subscribe("will", 0);
       EXPECT_TRUE(late.seen().ends_with("publish will q0 retain [gone]"));
     }},
    {6, "PUBREL for an unknown identifier is answered with 0x92 and costs nothing (3.6.2.1)",
     [](Durable& server) {
       TestClient device = server.client("device");
       device.seen();
       device.ack(PacketType::pubrel, 77);
       EXPECT_EQ(device.seen(), "pubcomp 77 packet_identifier_not_found");
     }},
    {8, "nothing is sent again while the connection lasts (4.4)",
     [](Durable& server) {
       TestClient reader = server.client("reader");
       reader.subscribe("t", 2);
       TestClient device = server.client("device");
       device.publish("t", "one", 1, 1);
       device.publish("t", "two", 2, 2);
       EXPECT_TRUE(reader.seen().ends_with("publish t q1 id=1 [one]; publish t q2 id=2 [two]"));
       server->seconds(300);
       EXPECT_EQ(reader.seen(), "");
     }},
    {10, "clients do not publish below $SYS, and # does not match it (4.7.2)",
     [](Durable& server) {
       TestClient reader = server.client("reader");
       reader.subscribe("#", 0);
       reader.seen();
       server->loop().publish_of_its_own("$SYS/broker/x", as_bytes(std::string_view("1")));
       server->turn();
       EXPECT_EQ(reader.seen(), "");
       reader.subscribe("$SYS/#", 0, 2);
       EXPECT_TRUE(reader.seen().ends_with("publish $SYS/broker/x q0 retain [1]"));
       reader.publish("$SYS/broker/x", "2");
       EXPECT_EQ(reader.seen(), "disconnect not_authorized");
     }},
    {17, "$share/g/t and t of one client are two subscriptions (4.8.2)",
     [](Durable& server) {
       TestClient reader = server.client("reader");
       reader.subscribe("t", 1, 1);
       reader.subscribe("$share/g/t", 1, 2);
       reader.seen();
       TestClient device = server.client("device");
       device.publish("t", "x", 1, 1);
       EXPECT_EQ(reader.seen(), "publish t q1 id=1 [x]; publish t q1 id=2 [x]");
       reader.send(protocol::Packet(protocol::Unsubscribe{3, {"$share/g/t"}, {}}));
       device.publish("t", "y", 1, 2);
       EXPECT_EQ(reader.seen(), "unsuback 3 success; publish t q1 id=3 [y]");
     }},
    {18, "a member's refusal discards the message; it goes to nobody else [MQTT-4.8.2-6]",
     [](Durable& server) {
       TestClient first = server.client("first");
       first.subscribe("$share/g/t", 1);
       TestClient device = server.client("device");
       device.publish("t", "x", 1, 1);
       EXPECT_TRUE(first.seen().ends_with("publish t q1 id=1 [x]"));
       first.send(protocol::Packet(protocol::PublishAck{PacketType::puback, 1, ReasonCode::not_authorized, {}}));
       TestClient second = server.client("second");
       second.subscribe("$share/g/t", 1);
       second.seen();
       first.drop();
       EXPECT_EQ(second.seen(), "");
       first = server.client("first");
       EXPECT_EQ(first.seen(), "connack present=1 success");
     }},
    {20, "what is sent again after a reconnect carries its topic, although it went out by an alias (3.3.2.3.4)",
     [](Durable& server) {
       TestClient reader = server.client("reader", 0, "11 00000e10 22 0001");
       reader.subscribe("t", 1);
       TestClient device = server.client("device");
       device.publish("t", "one", 1, 1);
       device.publish("t", "two", 1, 2);
       EXPECT_TRUE(reader.seen().ends_with("publish  q1 id=2 topic_alias=1 [two]"));
       reader.drop();
       reader = server.client("reader", 0, "11 00000e10 22 0001");
       EXPECT_EQ(reader.seen(), "connack present=1 success; publish t q1 id=1 dup [one]; publish t q1 id=2 dup [two]");
     }},
    {31, "a session expiry of 0 is not raised by DISCONNECT (3.14.2.2.2)",
     [](Durable& server) {
       TestClient device = server.client("device", 0, "");
       device.seen();
       device.send(from_hex("e0 07 00 05 11 0000003c"));
       EXPECT_EQ(device.seen(), "disconnect protocol_error");
     }},
    {32, "a QoS 2 flow that has begun is completed although its message expires [MQTT-4.3.3-7]",
     [](Durable& server) {
       TestClient reader = server.client("reader");
       reader.subscribe("t", 2);
       reader.seen();
       TestClient device = server.client("device");
       const std::string block = from_hex("02 00000001");
       protocol::Publish packet;
       packet.topic = "t";
       packet.payload = as_bytes(std::string_view("x"));
       packet.qos = 2;
       packet.packet_id = 1;
       packet.properties = protocol::validate_properties(as_bytes(block), PacketType::publish).value();
       device.send(protocol::Packet(packet));
       EXPECT_TRUE(reader.seen().starts_with("publish t q2 id=1"));
       reader.drop();
       server->seconds(5);
       reader = server.client("reader");
       EXPECT_EQ(reader.seen(), "connack present=1 success; publish t q2 id=1 dup [x]");
     }},
    {34, "an acknowledgement that comes with the end of the connection counts (4.6)",
     [](Durable& server) {
       TestClient reader = server.client("reader");
       reader.subscribe("t", 1);
       TestClient device = server.client("device");
       device.publish("t", "x", 1, 1);
       reader.seen();
       Buffer out;
       protocol::encode(out, protocol::PublishAck{PacketType::puback, 1, {}, {}}, Version::v5);
       protocol::encode(out, protocol::Disconnect{ReasonCode::success, {}}, Version::v5);
       reader.send(as_text(out.view()));
       reader = server.client("reader");
       EXPECT_EQ(reader.seen(), "connack present=1 success");
     }},
    {39, "order holds where what waited is followed by what is live (4.6)",
     [](Durable& server) {
       TestClient reader = server.client("reader", 0, "11 00000e10 21 0002");
       reader.subscribe("t", 1);
       reader.drop();
       TestClient device = server.client("device");
       for (std::uint16_t i = 1; i <= 4; ++i) device.publish("t", std::to_string(i), 1, i);
       reader = server.client("reader", 0, "11 00000e10 21 0002");
       std::string order;
       for (std::uint16_t i = 1; i <= 8; ++i) {
         if (i <= 4) device.publish("t", std::to_string(i + 4), 1, static_cast<std::uint16_t>(i + 4));
         const std::string seen = reader.seen();
         for (std::size_t at = 0; (at = seen.find(" [", at)) != std::string::npos; ++at) order += seen[at + 2];
         reader.ack(PacketType::puback, i);
       }
       EXPECT_EQ(order, "12345678");
     }},
};

TEST(EdgeCase, EachOfTheTable) {
  for (const EdgeCase& one : kCases) {
    SCOPED_TRACE(std::to_string(one.row) + ": " + one.rule);
    Durable server;
    one.play(server);
  }
}

}  // namespace
}  // namespace millrace::mqtt
