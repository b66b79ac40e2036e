// CONNECT and its refusals, keep alive, DISCONNECT, malformed packets on a connection, bounded memory, graceful stop.
#include <gtest/gtest.h>

#include <algorithm>

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

std::string connack_of(Version version, std::string_view connect_body_hex) {
  TestServer server;
  TestClient client = server.client(version);
  client.send(with_length(0x10, from_hex(connect_body_hex)));
  return testing::to_hex(as_bytes(client.raw())) + (client.closed() ? " closed" : "");
}

TEST(Connect, EveryVersionIsAccepted) {
  EXPECT_EQ(connack_of(Version::v3_1, "0006'MQIsdp' 03 02 000a 0001'a'"), "20020000");
  EXPECT_EQ(connack_of(Version::v3_1_1, "0004'MQTT' 04 02 000a 0001'a'"), "20020000");
  TestServer server;
  TestClient five = server.client();
  five.connect("a");
  EXPECT_EQ(five.seen(), "connack present=0 success");
}

TEST(Connect, RefusalsAreAnsweredInTheClientsVersion) {
  // Unsupported levels: 3.1.1 form below 5, 5.0 form above [MQTT-3.1.2-2].
  EXPECT_EQ(connack_of(Version::v3_1_1, "0004'MQTT' 03 02 000a 0001'a'"), "20020001 closed");
  EXPECT_EQ(connack_of(Version::v5, "0004'MQTT' 06 02 000a 00 0001'a'"), "2003008400 closed");
  EXPECT_EQ(connack_of(Version::v3_1_1, "0002'hj' 04 02 000a 0001'a'"), " closed");
  // Malformed: 5.0 gets a reason, 3.1.1 a closed connection.
  EXPECT_EQ(connack_of(Version::v3_1_1, "0004'MQTT' 04 03 000a 0001'a'"), " closed");
  EXPECT_EQ(connack_of(Version::v5, "0004'MQTT' 05 03 000a 00 0001'a'"), "2003008100 closed");
  EXPECT_EQ(connack_of(Version::v5, "0004'MQTT' 05 02 000a 03 21 0000 0001'a'"), "2003008200 closed");
  // Empty client identifier: only with a clean session in 3.1.1 [MQTT-3.1.3-8], never in 3.1.
  EXPECT_EQ(connack_of(Version::v3_1_1, "0004'MQTT' 04 00 000a 0000"), "20020002 closed");
  EXPECT_EQ(connack_of(Version::v3_1_1, "0004'MQTT' 04 02 000a 0000"), "20020000");
  EXPECT_EQ(connack_of(Version::v3_1, "0006'MQIsdp' 03 02 000a 0000"), "20020002 closed");
  // Enhanced authentication is not set up [MQTT-4.12.0-1].
  EXPECT_EQ(connack_of(Version::v5, "0004'MQTT' 05 02 000a 05 15 0002'xx' 0001'a'"), "2003008c00 closed");
}

TEST(Connect, LimitsAreTold) {
  Settings settings;
  settings.max_keep_alive_s = 60;
  settings.max_session_expiry_s = 100;
  TestServer server(settings);
  TestClient client = server.client();
  client.connect("", true, 120, "11 00001000");
  const std::string connack = client.raw();
  const auto frame = protocol::next_frame(as_bytes(connack), 1_MiB);
  const auto packet = protocol::decode_connack(*frame, Version::v5);
  ASSERT_TRUE(packet.has_value());
  using enum protocol::PropertyId;
  EXPECT_EQ(packet->properties.number(server_keep_alive, 0), 60U);
  EXPECT_EQ(packet->properties.number(session_expiry_interval, 0), 100U);
  EXPECT_EQ(packet->properties.number(receive_maximum, 0), 8'192U);
  EXPECT_EQ(packet->properties.number(maximum_packet_size, 0), 1'048'576U);
  EXPECT_EQ(packet->properties.number(topic_alias_maximum, 0), 16U);
  EXPECT_FALSE(packet->properties.text(assigned_client_identifier).empty());
  TestClient modest = server.client();
  modest.connect("own", true, 5);
  const std::string second = modest.raw();
  const auto own = protocol::decode_connack(*protocol::next_frame(as_bytes(second), 1_MiB), Version::v5);
  EXPECT_FALSE(own->properties.has(server_keep_alive));
  EXPECT_FALSE(own->properties.has(assigned_client_identifier));
}

TEST(Connect, MustBeFirstAndOnce) {
  TestServer server;
  TestClient first = server.client();
  first.send_hex("c000");
  EXPECT_EQ(first.raw(), "");
  EXPECT_TRUE(first.closed());
  TestClient second = server.client();
  second.connect("a");
  second.seen();
  second.connect("a");
  EXPECT_EQ(second.seen(), "disconnect protocol_error");
  EXPECT_TRUE(second.closed());
  TestClient three = server.client(Version::v3_1_1);
  three.connect("b");
  three.seen();
  three.connect("b");
  EXPECT_EQ(three.raw(), "");
  EXPECT_TRUE(three.closed());
}

TEST(Connect, PacketsSentBeforeConnackAreTakenInOrder) {
  TestServer server;
  TestClient client = server.client(Version::v3_1_1);
  client.send_hex("10 0d 0004'MQTT' 04 02 003c 0001'a'  82 06 0001 0001't' 00  30 04 0001't' 'x'");
  EXPECT_EQ(client.seen(), "connack present=0 success; suback 1 success; publish t q0 [x]");
}

TEST(Connect, EverySplitOfTheStreamGivesTheSame) {
  const std::string stream = from_hex(
      "10 0d 0004'MQTT' 04 02 003c 0001'a'  82 06 0001 0001't' 01  32 06 0001't' 0005 'x'  34 06 0001't' 0006 'y' "
      "c000");
  std::vector<std::string> expected;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    TestServer server;
    TestClient client = server.client(Version::v3_1_1);
    client.send(std::string_view(stream).substr(0, cut));
    client.send(std::string_view(stream).substr(cut));
    // Where the acknowledgements of a later read stand among the rest may differ; what is said may not.
    const std::string seen = client.seen();
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < seen.size();) {
      const std::size_t end = std::min(seen.find("; ", at), seen.size());
      lines.push_back(seen.substr(at, end - at));
      at = end + 2;
    }
    std::sort(lines.begin(), lines.end());
    if (cut == 0) expected = lines;
    EXPECT_EQ(lines, expected) << "cut at " << cut;
    EXPECT_EQ(lines.size(), 7U);
    EXPECT_EQ(server.receiver().got.size(), 2U);
  }
}

TEST(Connect, MustComeInTime) {
  TestServer server;
  TestClient silent = server.client();
  server.seconds(9);
  EXPECT_FALSE(silent.closed());
  server.seconds(3);
  EXPECT_TRUE(silent.closed());
}

TEST(Connect, NothingLargeIsGatheredBeforeIt) {
  TestServer server;
  TestClient client = server.client();
  client.send_hex("10 ffff7f 0004'MQTT'");
  EXPECT_TRUE(client.closed());
}

TEST(KeepAlive, OneAndAHalfTimes) {
  TestServer server;
  TestClient client = server.client();
  client.connect("a", true, 10);
  client.seen();
  server.seconds(14);
  EXPECT_FALSE(client.closed());
  client.send_hex("c000");
  EXPECT_EQ(client.seen(), "pingresp");
  server.seconds(14);
  EXPECT_FALSE(client.closed());
  server.seconds(3);
  EXPECT_EQ(client.seen(), "disconnect keep_alive_timeout");
  EXPECT_TRUE(client.closed());
}

TEST(KeepAlive, AServerThatStoodStillClosesNobodyWhoSpoke) {
  TestServer server;
  TestClient spoke = server.client();
  TestClient silent = server.client();
  spoke.connect("a", true, 4);
  silent.connect("b", true, 4);
  spoke.seen();
  server.seconds(1);
  server.stand_still(30);
  spoke.send_hex("c000");  // read before the clock is looked at, as in a turn of a loop
  server.seconds(1);
  EXPECT_EQ(spoke.seen(), "pingresp");
  EXPECT_FALSE(silent.closed());
  server.seconds(6);
  EXPECT_TRUE(silent.closed());
}

TEST(KeepAlive, ShorterThanTheConnectTimeoutIsKept) {
  TestServer server;
  TestClient client = server.client();
  client.connect("a", true, 2);
  server.seconds(5);
  EXPECT_TRUE(client.closed());
}

TEST(KeepAlive, ZeroIsOffAndLongOnesLast) {
  TestServer server;
  TestClient none = server.client();
  TestClient longest = server.client();
  none.connect("a", true, 0);
  longest.connect("b", true, 2'000);
  server.seconds(2'990);
  EXPECT_FALSE(longest.closed());
  server.seconds(20);
  EXPECT_TRUE(longest.closed());
  EXPECT_FALSE(none.closed());
}

TEST(BadInput, EachGetsItsReasonAndItsCounter) {
  const std::pair<const char*, const char*> cases[] = {
      {"c100", "malformed_packet"},                   // reserved bits
      {"36 05 0001't' 0001", "malformed_packet"},     // QoS 3
      {"30 8000", "malformed_packet"},                // remaining length not shortest
      {"30 05 0003'a+b'", "malformed_packet"},        // no property length
      {"30 06 0003'a+b' 00", "topic_name_invalid"},   // wildcard
      {"30 03 0000 00", "protocol_error"},            // no topic, no alias
      {"30 06 0001't' 02 0b 01", "protocol_error"},   // subscription identifier from a client
      {"32 06 0001't' 0000 00", "protocol_error"},    // packet id 0
      {"82 03 0001 00", "protocol_error"},            // no filter
      {"20 03 0000 00", "protocol_error"},            // CONNACK from a client
      {"d000", "protocol_error"},                     // PINGRESP from a client
      {"f000", "protocol_error"},                     // AUTH without a method
      {"e0 01 8b", "protocol_error"},                 // reason code of servers
      {"e0 07 00 05 11 00000001", "protocol_error"},  // session expiry raised from 0
      {"30 ffffff7f", "packet_too_large"},
  };
  for (const auto& [hex, reason] : cases) {
    TestServer server;
    TestClient client = server.client();
    client.connect("a");
    client.seen();
    client.send_hex(hex);
    EXPECT_EQ(client.seen(), std::string("disconnect ") + reason) << hex;
    EXPECT_TRUE(client.closed()) << hex;
    EXPECT_TRUE(server.receiver().got.empty()) << hex;
    EXPECT_NE(server.metrics().find(std::string("millrace_mqtt_connections_closed_total{reason=\"") + reason + "\"} 1"),
              std::string::npos)
        << hex;
  }
}

TEST(BadInput, WhatCameBeforeItIsStillHandedOver) {
  TestServer server;
  TestClient client = server.client(Version::v3_1_1);
  client.connect("a");
  client.send_hex("30 04 0001't' 'x' c100");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(server.receiver().got.size(), 1U);
}

TEST(BadInput, ReasonStringOnlyWhereWanted) {
  TestServer server;
  TestClient client = server.client();
  client.connect("a", true, 0, "17 00");
  client.seen();
  client.send_hex("c100");
  EXPECT_EQ(testing::to_hex(as_bytes(client.raw())), "e00181");
}

TEST(LargePacket, IsGatheredByTheStream) {
  TestServer server;
  TestClient client = server.client(Version::v3_1_1);
  client.connect("a");
  const std::string packet = with_length(0x30, from_hex("0001't'") + std::string(700'000, 'p'));
  for (std::size_t at = 0; at < packet.size(); at += 100'000) client.send(std::string_view(packet).substr(at, 100'000));
  ASSERT_EQ(server.receiver().got.size(), 1U);
  EXPECT_EQ(server.receiver().got[0].payload.size(), 700'000U);
}

TEST(Stop, AcknowledgementsLeaveBeforeTheGoodbye) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient five = server.client();
  TestClient three = server.client(Version::v3_1_1);
  five.connect("five");
  three.connect("three");
  five.seen(), three.seen();
  five.publish("t", "x", 1, 1);
  three.publish("t", "x", 1, 1);
  bool stopped = false;
  server.loop().begin_stop([&] { stopped = true; });
  five.publish("t", "y", 1, 2);  // not read any more
  EXPECT_EQ(five.seen(), "");
  EXPECT_FALSE(stopped);
  server.receiver().settle();
  server.turn();
  EXPECT_EQ(five.seen(), "puback 1 success; disconnect server_shutting_down");
  EXPECT_EQ(three.seen(), "puback 1 success");
  EXPECT_TRUE(five.closed() && three.closed() && stopped);
  EXPECT_TRUE(server.receiver().detached());
  EXPECT_EQ(server.receiver().got.size(), 2U);
}

// So that a fleet does not come back all at once: one after the other, each served until its turn.
TEST(Stop, EndsAreSpread) {
  Settings settings;
  settings.stop_spread = std::chrono::seconds(10);
  TestServer server(settings);
  std::vector<TestClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(server.client());
    clients.back().connect("c" + std::to_string(i));
    clients.back().seen();
  }
  bool stopped = false;
  server.loop().begin_stop([&] { stopped = true; });
  server.receiver().settles_by_itself = false;
  clients[2].publish("t", "x", 1, 1);
  const auto open = [&] { return std::ranges::count_if(clients, [](TestClient& one) { return !one.closed(); }); };
  for (int second = 1; second < 10; ++second) {
    server.seconds(1);
    EXPECT_EQ(open(), 20 - 2 * second + (second > 1 ? 1 : 0)) << "one waits for its acknowledgement";
  }
  EXPECT_EQ(clients[0].seen(), "disconnect server_shutting_down");
  clients[19].publish("t", "x", 1, 1);
  EXPECT_FALSE(clients[19].closed());
  TestClient late = server.client();
  EXPECT_EQ(server.loop().connection_count(), 3U) << "nobody is let in";
  server.receiver().settle();
  server.turn();
  EXPECT_EQ(clients[2].seen(), "puback 1 success; disconnect server_shutting_down");
  EXPECT_EQ(clients[19].seen(), "puback 1 success");
  EXPECT_FALSE(stopped);
  server.seconds(1);
  EXPECT_EQ(open(), 0);
  EXPECT_TRUE(stopped);
}

TEST(Stop, EndsWithoutTheReceiverAfterItsTimeout) {
  TestServer server;
  server.receiver().settles_by_itself = false;
  TestClient client = server.client();
  client.connect("a", false, 0, "11 00001000");
  client.publish("t", "x", 2, 1);
  bool stopped = false;
  server.loop().begin_stop([&] { stopped = true; });
  server.seconds(4);
  EXPECT_FALSE(stopped);
  server.seconds(5);
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace millrace::mqtt
