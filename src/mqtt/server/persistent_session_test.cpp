// Persistent sessions as log data (decision 0009): what waits for an absent or slow client, restarts, take-over between
// loops, QoS 2 state that is durable before it is used, subscriptions that survive.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "mqtt/testing/durable_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::ReasonCode;
using protocol::Version;
using testing::Durable;
using testing::from_hex;
using testing::TestClient;
using testing::TestServer;
using testing::with_length;

void publish(Durable& server, std::string_view topic, int from, int to, int qos = 1, std::size_t loop = 0) {
  TestClient device = server->client(Version::v3_1_1, loop);
  device.connect("device");
  for (int i = from; i <= to; ++i) device.publish(topic, fmt::to_string(i), qos, static_cast<std::uint16_t>(i));
  for (int i = from; i <= to && qos == 2; ++i) device.ack(PacketType::pubrel, static_cast<std::uint16_t>(i));
  device.disconnect();
}

TEST(PersistentSession, WhatCameWhileItWasAwayIsSentWhenItIsBack) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.subscribe("t/#", 1);
  EXPECT_EQ(reader.seen(), "connack present=0 success; suback 1 granted_qos_1");
  reader.drop();
  publish(server, "t/1", 1, 2);
  publish(server, "t/1", 3, 3, 0);    // QoS 0 does not wait
  publish(server, "other", 4, 4, 1);  // nobody's
  EXPECT_EQ(server.messages().high_watermark(), Offset(2));
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; publish t/1 q1 id=1 [1]; publish t/1 q1 id=2 [2]");
  reader.ack(PacketType::puback, 1);
  reader.drop();
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; publish t/1 q1 id=2 dup [2]");
}

// What CONNACK says must be so after a power cut (decision 0044): the end of the session of before, a lifetime that
// changed, a will. A session that goes on as it was, or a new and empty one, has nothing to wait for.
TEST(PersistentSession, ConnackWaitsForWhatItPromises) {
  Durable server;
  const auto connects = [&](bool clean, const char* properties, bool will = false) {
    protocol::Connect packet;
    packet.version = Version::v5;
    packet.client_id = "reader";
    packet.clean_start = clean;
    if (will) packet.will = protocol::Will{"will", as_bytes(std::string_view("w")), 1, false, {}};
    TestClient client = server->client();
    client.connect(packet, properties);
    return client;
  };
  server->receiver().settles_by_itself = false;
  TestClient client = connects(false, "11 00000e10");
  EXPECT_EQ(client.seen(), "connack present=0 success") << "new";
  server->receiver().settle();
  server->turn();
  const auto takes_over = [&](bool clean, const char* properties, bool will = false) {
    client.drop();
    server->turn();
    server->receiver().settle();  // what the end of the connection has to record
    server->turn();
    client = connects(clean, properties, will);
    const std::string before = client.seen();
    client.send_hex("c000");  // it need not wait for CONNACK; this does
    EXPECT_TRUE(before.empty() || client.seen() == "pingresp");
    if (!before.empty()) return "at once: " + before;
    EXPECT_EQ(server->exchange().metrics.connections.value(), 0);
    server->receiver().settle();
    server->turn();
    return client.seen();
  };
  EXPECT_EQ(takes_over(false, "11 00000e10"), "at once: connack present=1 success") << "as it was";
  EXPECT_EQ(takes_over(false, "11 00001000"), "connack present=1 success; pingresp") << "another lifetime";
  EXPECT_EQ(takes_over(false, "11 00001000", true), "connack present=1 success; pingresp") << "a will";
  EXPECT_EQ(takes_over(true, "11 00001000"), "connack present=0 success; pingresp") << "the end of the old one";
  EXPECT_EQ(takes_over(true, ""), "connack present=0 success; pingresp") << "the same, without a new record";
  EXPECT_EQ(takes_over(true, "", true), "connack present=0 success; pingresp") << "the will of a clean session";
  EXPECT_EQ(server->exchange().metrics.connections.value(), 1);
}

TEST(PersistentSession, WhoLeavesOrIsReplacedBeforeConnackLeavesNothingOpen) {
  Durable server;
  server->receiver().settles_by_itself = false;
  protocol::Connect packet;
  packet.version = Version::v5;
  packet.client_id = "reader";
  packet.will = protocol::Will{"will", as_bytes(std::string_view("w")), 1, false, {}};
  for (const char* properties : {"", "11 00000e10"}) {
    TestClient gone = server->client();
    gone.connect(packet, properties);
    EXPECT_EQ(gone.seen(), "");
    gone.drop();
    TestClient replaced = server->client();
    replaced.connect(packet, properties);
    TestClient last = server->client();
    last.connect(packet, properties);
    for (int i = 0; i < 8; ++i) {
      server->receiver().settle();
      server->turn();
    }
    EXPECT_EQ(replaced.seen(), "");
    EXPECT_TRUE(replaced.closed());
    EXPECT_TRUE(last.seen().starts_with("connack present=")) << properties;
    EXPECT_EQ(server->exchange().metrics.connections.value(), 1);
    last.disconnect();
    server->receiver().settle();
    server->turn();
    EXPECT_EQ(server->exchange().metrics.connections.value(), 0);
    EXPECT_EQ(server->loop().connection_count(), 0U);
  }
}

TEST(PersistentSession, WithoutRoomForItsWillAClientIsRefused) {
  Durable server;
  server->receiver().settles_by_itself = false;
  protocol::Connect packet;
  packet.version = Version::v5;
  packet.client_id = "reader";
  packet.will = protocol::Will{"will", as_bytes(std::string_view("w")), 1, false, {}};
  for (const char* properties : {"", "11 00000e10"}) {
    TestClient client = server->client();
    client.connect(packet, properties);
    server->receiver().settle(ReceiptStatus::quota);
    server->turn();
    EXPECT_EQ(client.seen(), "connack present=0 quota_exceeded");
    EXPECT_TRUE(client.closed());
    server->seconds(3);
    server->receiver().settle();
    server->turn();
    EXPECT_TRUE(server->receiver().got.empty()) << "no will of one that was refused";
    EXPECT_EQ(server->exchange().metrics.connections.value(), 0);
    EXPECT_EQ(server->loop().connection_count(), 0U);
  }
}

TEST(PersistentSession, ConnectedItHearsWhatIsSynced) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.subscribe("t", 1);
  reader.seen();
  server->receiver().settles_by_itself = false;
  TestClient device = server->client();
  device.connect("device");
  device.publish("t", "one", 1, 1);
  device.publish("t", "zero", 0);
  EXPECT_EQ(reader.seen(), "publish t q0 [zero]");  // needs no sync
  server->receiver().settle();
  server->turn();
  EXPECT_EQ(reader.seen(), "publish t q1 id=1 [one]");
}

TEST(PersistentSession, SubackWaitsUntilTheSubscriptionWouldSurvive) {
  for (const std::size_t loops : {1U, 3U}) {
    Durable server(loops);
    TestClient reader = server.client("reader");
    reader.seen();
    server->receiver().settles_by_itself = false;
    reader.subscribe("t", 1);
    EXPECT_EQ(reader.seen(), "");
    server->receiver().settle();
    server->turn();
    EXPECT_EQ(reader.seen(), "suback 1 granted_qos_1");
    for (std::size_t loop = 0; loop < loops; ++loop) EXPECT_TRUE(server->loop(loop).is_logged("t"));
    server->receiver().settles_by_itself = true;
    reader.send(with_length(0xA2, from_hex("0002 00 0001't'")));
    EXPECT_EQ(reader.seen(), "unsuback 2 success");
    for (std::size_t loop = 0; loop < loops; ++loop) EXPECT_FALSE(server->loop(loop).is_logged("t"));
  }
}

TEST(PersistentSession, AFleetWithoutPersistentSessionsWritesNothing) {
  Durable server;
  TestClient reader = server->client();
  reader.connect("reader");
  reader.subscribe("t", 1);
  publish(server, "t", 1, 3);
  EXPECT_EQ(server.messages().high_watermark(), Offset(0));
  EXPECT_TRUE(server->receiver().own.empty());
}

TEST(PersistentSession, SurvivesARestart) {
  Durable server(2);
  TestClient reader = server.client("reader", 1);
  reader.subscribe("t/+", 1);
  reader.seen();
  publish(server, "t/1", 1, 2);
  EXPECT_EQ(reader.seen(), "publish t/1 q1 id=1 [1]; publish t/1 q1 id=2 [2]");
  reader.drop();
  publish(server, "t/2", 3, 4);
  server.restart();
  publish(server, "t/3", 5, 5, 1, 1);
  reader = server.client("reader", 0);
  EXPECT_EQ(
      reader.seen(),
      "connack present=1 success; publish t/1 q1 id=1 dup [1]; publish t/1 q1 id=2 dup [2]; publish t/2 q1 id=3 [3]; "
      "publish t/2 q1 id=4 [4]; publish t/3 q1 id=5 [5]");
  for (std::uint16_t id = 1; id <= 5; ++id) reader.ack(PacketType::puback, id);
  reader.disconnect();
  server.restart();
  reader = server.client("reader", 1);
  EXPECT_EQ(reader.seen(), "connack present=1 success");
}

TEST(PersistentSession, AKillWhileConnectedRepeatsAtMostWhatWasNotNoted) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.subscribe("t", 1);
  publish(server, "t", 1, 3);
  reader.seen();
  reader.ack(PacketType::puback, 1);
  server->seconds(2);  // noted: 1 is acknowledged, 2 and 3 are in flight
  reader.ack(PacketType::puback, 2);
  server.restart();
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; publish t q1 id=2 dup [2]; publish t q1 id=3 dup [3]");
}

TEST(PersistentSession, ANewSubscriptionBringsNothingOld) {
  Durable server;
  TestClient other = server.client("other");
  other.subscribe("#", 1);
  TestClient reader = server.client("reader");
  reader.subscribe("a", 1);
  publish(server, "b", 1, 2);
  reader.subscribe("b", 1);
  reader.drop();
  reader.seen();
  publish(server, "b", 3, 3);
  server.restart();
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; publish b q1 id=1 [3]");
}

TEST(PersistentSession, QosTwoIdentifiersAreDurableBeforeTheyAreUsed) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.subscribe("t", 2);
  reader.seen();
  publish(server, "t", 1, 1, 2);
  EXPECT_EQ(reader.seen(), "publish t q2 id=1 [1]");
  server.restart();  // before PUBREC
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; publish t q2 id=1 dup [1]");
  server->receiver().settles_by_itself = false;
  reader.ack(PacketType::pubrec, 1);
  EXPECT_EQ(reader.seen(), "");  // not before it is known for ever that the message is not to be sent again
  server->receiver().settle();
  server->turn();
  EXPECT_EQ(reader.seen(), "pubrel 1 success");
  server.restart();  // before PUBCOMP
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; pubrel 1 success");
  reader.ack(PacketType::pubcomp, 1);
  server->seconds(2);
  server.restart();
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success");
}

TEST(PersistentSession, NothingOfQosTwoIsSentBeforeTheSync) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.subscribe("t", 2);
  reader.seen();
  TestClient device = server->client();
  device.connect("device");
  server->receiver().settles_by_itself = false;
  device.publish("t", "x", 2, 1);
  server->receiver().settle();  // the message
  server->turn();
  EXPECT_EQ(reader.seen(), "");
  server->receiver().settle();  // the session
  server->turn();
  EXPECT_EQ(reader.seen(), "publish t q2 id=1 [x]");
}

TEST(PersistentSession, MovesBetweenLoopsWithWhatWaits) {
  Durable server(3);
  TestClient reader = server.client("reader", 0);
  reader.subscribe("t", 1);
  reader.drop();
  for (std::size_t round = 0; round < 6; ++round) {
    const int n = static_cast<int>(round) * 2 + 1;
    publish(server, "t", n, n, 1, round % 3);
    reader = server.client("reader", (round + 1) % 3);
    // Where the client was still connected elsewhere, the message was sent there, too.
    const bool taken_over = round % 2 == 0 && round != 0;
    const std::string expected =
        fmt::format("connack present=1 success; publish t q1 id={}{} [{}]", n, taken_over ? " dup" : "", n);
    EXPECT_EQ(reader.seen(), expected);
    reader.ack(PacketType::puback, static_cast<std::uint16_t>(n));
    publish(server, "t", n + 1, n + 1, 1, (round + 2) % 3);
    EXPECT_EQ(reader.seen(), fmt::format("publish t q1 id={} [{}]", n + 1, n + 1));
    reader.ack(PacketType::puback, static_cast<std::uint16_t>(n + 1));
    if (round % 2 == 0) reader.drop();  // else taken over
  }
}

TEST(PersistentSession, OneThatIsSlowWaitsInTheLogAndOthersDoNot) {
  Durable server;
  TestClient slow = server.client("slow", 0, "11 00000e10 21 0002");
  TestClient quick = server.client("quick");
  slow.subscribe("t", 1);
  quick.subscribe("t", 1);
  slow.seen(), quick.seen();
  publish(server, "t", 1, 4);
  EXPECT_EQ(slow.seen(), "publish t q1 id=1 [1]; publish t q1 id=2 [2]");
  EXPECT_EQ(quick.seen(), "publish t q1 id=1 [1]; publish t q1 id=2 [2]; publish t q1 id=3 [3]; publish t q1 id=4 [4]");
  slow.ack(PacketType::puback, 2);
  EXPECT_EQ(slow.seen(), "publish t q1 id=3 [3]");
  publish(server, "t", 5, 5);
  slow.ack(PacketType::puback, 1);
  slow.ack(PacketType::puback, 3);
  EXPECT_EQ(slow.seen(), "publish t q1 id=4 [4]; publish t q1 id=5 [5]");
}

TEST(PersistentSession, EndsWithExpiryWithCleanStartAndWithDisconnect) {
  Durable server(2);
  TestClient reader = server.client("reader", 0, "11 00000005");
  reader.subscribe("t", 1);
  reader.drop();
  ASSERT_TRUE(server->recorded(kSessionTopic, "reader"));
  server->seconds(7);
  EXPECT_FALSE(server->recorded(kSessionTopic, "reader"));
  EXPECT_FALSE(server->loop(0).is_logged("t"));
  EXPECT_FALSE(server->loop(1).is_logged("t"));
  reader = server.client("reader", 1);
  EXPECT_EQ(reader.seen(), "connack present=0 success");
  reader.subscribe("t", 1);
  reader.drop();
  TestClient clean = server->client(Version::v5, 0);
  clean.connect("reader");
  EXPECT_EQ(clean.seen(), "connack present=0 success");
  EXPECT_FALSE(server->recorded(kSessionTopic, "reader"));
  EXPECT_FALSE(server->loop(1).is_logged("t"));
  clean.disconnect();
  reader = server.client("reader", 1);
  reader.subscribe("t", 1);
  reader.send(with_length(0xE0, from_hex("00 05 11 00000000")));  // DISCONNECT with session expiry 0
  server->turn();
  EXPECT_FALSE(server->recorded(kSessionTopic, "reader"));
  EXPECT_FALSE(server->loop(0).is_logged("t"));
  EXPECT_EQ(server->exchange().registry.stored(), 0U);
}

TEST(PersistentSession, ExpiresOverARestart) {
  Durable server;
  TestClient reader = server.client("reader", 0, "11 00000005");
  reader.subscribe("t", 1);
  reader.drop();
  server.restart();
  server->seconds(7);
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=0 success");
}

TEST(PersistentSession, MessagesExpireWhileTheyWait) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.subscribe("t", 1);
  reader.drop();
  TestClient device = server->client();
  device.connect("device");
  device.send(with_length(0x32, from_hex("0001't' 0001 05 02 00000003 'x'")));
  device.send(with_length(0x32, from_hex("0001't' 0002 05 02 0000003c 'y'")));
  server->seconds(5);
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; publish t q1 id=1 message_expiry_interval=55 [y]");
}

TEST(PersistentSession, NoLocalHoldsOverReconnects) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.send(with_length(0x82, from_hex("0001 00 0001't' 05")));  // QoS 1, No Local
  reader.publish("t", "own", 1, 1);
  reader.drop();
  publish(server, "t", 2, 2);
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=1 success; publish t q1 id=1 [2]");
}

TEST(PersistentSession, IsEndedWhenTheLogNoLongerHasWhatWaits) {
  Durable server;
  TestClient reader = server.client("reader");
  reader.subscribe("t", 1);
  reader.drop();
  publish(server, "t", 1, 3);
  server.messages().trim(Offset(2));
  server.restart();
  server->seconds(2);
  reader = server.client("reader");
  EXPECT_EQ(reader.seen(), "connack present=0 success");
}

TEST(OffsetList, AMillionTakeLittle) {
  OffsetList list;
  for (std::int64_t i = 0; i < 1'000'000; ++i) list.push_back(Offset(i * 3));
  EXPECT_LE(list.memory_bytes(), 2U << 20U);
  for (std::int64_t i = 0; i < 1'000'000; ++i) {
    ASSERT_EQ(list.front(), Offset(i * 3));
    list.pop_front();
  }
  EXPECT_TRUE(list.empty());
}

TEST(SessionRecord, EveryCutIsRefused) {
  Session session("reader", 60);
  session.make_logged(Offset(7));
  session.subscriptions.push_back({"a/+", {1, true, false, {}}, 5, Offset(3), nullptr});
  session.in_flight.allot(1, std::make_unique<OutboundMessage>(nullptr, std::vector<std::uint32_t>{5}, nullptr,
                                                               Offset(4), std::uint8_t{1}, true));
  Buffer bytes;
  encode_session(bytes, session, WallTime(1'000));
  const RestoredSession restored = decode_session("reader", bytes.view()).value();
  EXPECT_EQ(restored.disconnected_at, WallTime(1'000));
  EXPECT_EQ(restored.session->subscriptions[0].filter, "a/+");
  EXPECT_EQ(restored.session->subscriptions[0].since, Offset(3));
  EXPECT_EQ(restored.session->cursor(Offset(7)), Offset(4));
  EXPECT_EQ(restored.session->in_flight.next_id(), 2);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_session("reader", bytes.view(0, size)));
}

}  // namespace
}  // namespace millrace::mqtt
