// Retained messages (3.3.1.3, 3.8.3.1): set, cleared, replaced, by wildcard in pieces, Retain Handling, limits, wills,
// expiry, and what is recorded for a restart.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "mqtt/session/stored_message.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::Version;
using testing::from_hex;
using testing::TestClient;
using testing::TestServer;
using testing::with_length;

TestClient connected(TestServer& server, std::string_view id, Version version = Version::v5) {
  TestClient client = server.client(version);
  client.connect(id);
  client.seen();
  return client;
}

TEST(Retained, IsSetReplacedAndCleared) {
  TestServer server;
  TestClient device = connected(server, "device");
  TestClient early = connected(server, "early");
  early.subscribe("t/1");
  early.seen();
  device.publish("t/1", "a", 0, 0, true);
  device.publish("t/1", "b", 1, 1, true);
  EXPECT_EQ(early.seen(), "publish t/1 q0 [a]; publish t/1 q0 [b]");  // RETAIN 0 to the established [MQTT-3.3.1-12]
  TestClient reader = connected(server, "reader");
  reader.subscribe("t/1", 1);
  EXPECT_EQ(reader.seen(), "suback 1 granted_qos_1; publish t/1 q1 id=1 retain [b]");  // [MQTT-3.3.1-6, -8]
  device.publish("t/1", "", 0, 0, true);                                               // [MQTT-3.3.1-10]
  EXPECT_EQ(reader.seen(), "publish t/1 q0 []");
  reader.subscribe("t/+", 1, 2);
  EXPECT_EQ(reader.seen(), "suback 2 granted_qos_1");
}

TEST(Retained, GoesToEveryFormOfSubscriber) {
  TestServer server;
  TestClient device = connected(server, "device");
  device.publish("a/b", "x", 2, 1, true);
  device.ack(PacketType::pubrel, 1);
  TestClient three = connected(server, "three", Version::v3_1_1);
  three.subscribe("a/#", 2);
  EXPECT_EQ(three.seen(), "suback 1 granted_qos_2; publish a/b q2 id=1 retain [x]");
  TestClient five = connected(server, "five");
  five.send(with_length(0x82, from_hex("0001 02 0b 05 0001'#' 00")));
  EXPECT_EQ(five.seen(), "suback 1 success; publish a/b q0 retain subscription_identifier=5 [x]");
}

TEST(Retained, RetainHandling) {
  TestServer server;
  TestClient device = connected(server, "device");
  device.publish("t", "x", 0, 0, true);
  TestClient reader = connected(server, "reader");
  const auto subscribe = [&](const char* options) {
    reader.send(with_length(0x82, from_hex(std::string("0001 00 0001't' ") + options)));
    return reader.seen();
  };
  EXPECT_EQ(subscribe("20"), "suback 1 success");                           // 2: never [MQTT-3.3.1-11]
  EXPECT_EQ(subscribe("10"), "suback 1 success");                           // 1: only if new, and it is not
  EXPECT_EQ(subscribe("00"), "suback 1 success; publish t q0 retain [x]");  // 0: always [MQTT-3.3.1-9]
  reader.send(with_length(0xA2, from_hex("0002 00 0001't'")));
  reader.seen();
  EXPECT_EQ(subscribe("10"), "suback 1 success; publish t q0 retain [x]");  // new again [MQTT-3.3.1-10]
}

TEST(Retained, NotForSharedSubscriptionsAndNotForDollarTopics) {
  Settings settings;
  settings.sys_interval = std::chrono::seconds(10);
  TestServer server(settings);
  server.seconds(1);
  TestClient device = connected(server, "device");
  device.publish("t", "x", 0, 0, true);
  TestClient reader = connected(server, "reader");
  reader.subscribe("$share/g/t");
  EXPECT_EQ(reader.seen(), "suback 1 success");
  reader.subscribe("#");
  EXPECT_EQ(reader.seen(), "suback 1 success; publish t q0 retain [x]");  // nothing of $SYS [MQTT-4.7.2-1]
  reader.subscribe("$SYS/broker/version");
  EXPECT_EQ(reader.seen(), "suback 1 success; publish $SYS/broker/version q0 retain [millrace]");
}

TEST(Retained, AWildcardIsGoneThroughInPieces) {
  Settings settings;
  settings.max_output_bytes = 10'000;
  TestServer server(settings);
  TestClient device = connected(server, "device");
  const std::string payload(100, 'p');
  for (int i = 0; i < 1'000; ++i) device.publish(fmt::format("t/{:04}", i), payload, 0, 0, true);
  TestClient reader = connected(server, "reader");
  reader.peer().takes_nothing = true;
  reader.subscribe("t/+");
  EXPECT_LT(reader.peer().stream->pending_bytes(), 11'000U);  // no more than the socket's budget
  reader.peer().takes_nothing = false;
  server.turn();
  const std::string seen = reader.seen();
  std::size_t count = 0;
  for (std::size_t at = seen.find("publish "); at != std::string::npos; at = seen.find("publish ", at + 1)) ++count;
  EXPECT_EQ(count, 1'000U);
  EXPECT_TRUE(seen.ends_with("publish t/0999 q0 retain [" + payload + "]"));
}

TEST(Retained, WaitsForTheWindow) {
  TestServer server;
  TestClient device = connected(server, "device");
  for (int i = 1; i <= 3; ++i) device.publish(fmt::format("t/{}", i), "x", 1, static_cast<std::uint16_t>(i), true);
  TestClient reader = server.client();
  reader.connect("reader", true, 0, "21 0002");  // Receive Maximum 2
  reader.seen();
  reader.subscribe("#", 1);
  EXPECT_EQ(reader.seen(), "suback 1 granted_qos_1; publish t/1 q1 id=1 retain [x]; publish t/2 q1 id=2 retain [x]");
  reader.ack(PacketType::puback, 2);
  EXPECT_EQ(reader.seen(), "publish t/3 q1 id=3 retain [x]");
}

TEST(Retained, LimitsAreToldAndNothingIsAcknowledgedThatIsNotKept) {
  Settings settings;
  settings.retained.max_messages = 1;
  TestServer server(settings);
  TestClient device = connected(server, "device");
  device.publish("a", "x", 1, 1, true);
  device.publish("b", "x", 1, 2, true);
  device.publish("a", "y", 1, 3, true);
  EXPECT_EQ(device.seen(), "puback 1 success; puback 2 quota_exceeded; puback 3 success");
  device.publish("b", "x", 2, 4, true);
  EXPECT_EQ(device.seen(), "pubrec 4 quota_exceeded");
  device.publish("c", "x", 2, 4, false);  // the identifier is free again
  EXPECT_EQ(device.seen(), "pubrec 4 success");
  EXPECT_EQ(server.receiver().got.size(), 3U);
}

TEST(Retained, ExpiresWithItsMessage) {
  Settings settings;
  settings.sys_interval = std::chrono::seconds(0);
  TestServer server(settings);
  TestClient device = connected(server, "device");
  device.send(with_length(0x31, from_hex("0001't' 05 02 00000005 'x'")));  // 5 s
  server.seconds(2);
  TestClient reader = connected(server, "reader");
  reader.subscribe("t");
  EXPECT_EQ(reader.seen(), "suback 1 success; publish t q0 retain message_expiry_interval=3 [x]");
  server.seconds(4);
  reader.subscribe("t");
  EXPECT_EQ(reader.seen(), "suback 1 success");
  EXPECT_EQ(server.exchange().retained.with([](RetainedStore& store) { return store.size(); }), 0U);
}

TEST(Retained, AWillIsRetained) {
  TestServer server;
  TestClient device = server.client();
  protocol::Connect packet;
  packet.client_id = "device";
  packet.will = protocol::Will{"w", as_bytes("gone"), 1, true, {}};
  device.connect(packet);
  device.drop();
  TestClient reader = connected(server, "reader");
  reader.subscribe("w");
  EXPECT_EQ(reader.seen(), "suback 1 success; publish w q0 retain [gone]");
}

TEST(Retained, IsRecordedWithItsMessage) {
  TestServer server;
  server.exchange().durable = true;
  TestClient device = connected(server, "device");
  device.send(with_length(0x31, from_hex("0003't/1' 0c 02 0000003c 03 0004'json' '{}'")));
  device.publish("t/1", "", 1, 1, true);
  ASSERT_EQ(server.receiver().own.size(), 2U);
  const auto& set = server.receiver().own[0];
  EXPECT_EQ(set.topic, kRetainedTopic);
  EXPECT_EQ(set.key, "t/1");
  const StoredMessage stored = decode_stored(as_bytes(*set.value)).value();
  EXPECT_EQ(as_text(stored.payload), "{}");
  EXPECT_EQ(stored.publisher, "device");
  const Message later = stored.at(server.clock().wall() + std::chrono::seconds(20)).value();
  EXPECT_EQ(later.expiry_s, 40U);
  EXPECT_TRUE(later.retain);
  EXPECT_FALSE(stored.at(server.clock().wall() + std::chrono::seconds(60)));
  EXPECT_EQ(server.receiver().own[1].key, "t/1");
  EXPECT_FALSE(server.receiver().own[1].value);
  EXPECT_EQ(device.seen(), "puback 1 success");
}

TEST(StoredMessage, EveryCutIsCorruptOrShorter) {
  Buffer bytes;
  encode_stored(bytes, Message{"a/b", as_bytes("payload"), {}, 60, {}, 2, true}, "client", WallTime(1'000));
  const StoredMessage whole = decode_stored(bytes.view()).value();
  EXPECT_EQ(whole.topic, "a/b");
  EXPECT_EQ(whole.qos, 2);
  EXPECT_EQ(whole.expires_at, WallTime(61'000));
  const std::size_t head = bytes.size() - 7;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = decode_stored(bytes.view(0, size));
    EXPECT_EQ(cut.has_value(), size >= head) << size;
  }
}

}  // namespace
}  // namespace millrace::mqtt
