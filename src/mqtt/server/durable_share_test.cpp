// Shared subscriptions fed from the log (4.8.2, decision 0020): what waits while no member is connected, what a member
// leaves behind, a kill -9 in between, members on other loops.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "mqtt/testing/durable_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::Version;
using testing::Durable;
using testing::TestClient;

constexpr const char* kClean = "";

void publish(Durable& server, int from, int to, int qos = 1) {
  TestClient device = server->client(Version::v3_1_1);
  device.connect("device");
  for (int i = from; i <= to; ++i) device.publish("t", fmt::to_string(i), qos, static_cast<std::uint16_t>(i));
  device.disconnect();
}

TEST(DurableShare, WaitsForAMemberThatIsAway) {
  for (const std::size_t loops : {1U, 3U}) {
    Durable server(loops);
    TestClient member = server.client("member", loops - 1);
    member.subscribe("$share/g/t", 1);
    EXPECT_EQ(member.seen(), "connack present=0 success; suback 1 granted_qos_1");
    publish(server, 1, 1);
    EXPECT_EQ(member.seen(), "publish t q1 id=1 [1]");
    member.ack(PacketType::puback, 1);
    member.drop();
    publish(server, 2, 3);
    server->seconds(2);
    member = server.client("member", 0);
    EXPECT_EQ(member.seen(), "connack present=1 success; publish t q1 id=2 [2]; publish t q1 id=3 [3]") << loops;
  }
}

TEST(DurableShare, WaitsThroughAKill) {
  for (const std::size_t loops : {1U, 3U}) {
    Durable server(loops);
    TestClient member = server.client("member", loops - 1);
    member.subscribe("$share/g/t", 1);
    member.drop();
    publish(server, 1, 2);
    server.restart();
    publish(server, 3, 3);
    member = server.client("member");
    EXPECT_EQ(member.seen(),
              "connack present=1 success; publish t q1 id=1 [1]; publish t q1 id=2 [2]; publish t q1 id=3 [3]")
        << loops;
    member.ack(PacketType::puback, 1);
    member.ack(PacketType::puback, 3);
    server->seconds(2);  // its record knows
    server.restart();
    TestClient other = server.client("other");
    other.subscribe("$share/g/t", 1);
    // It may begin before SUBACK (3.8.4).
    EXPECT_EQ(other.seen(), "connack present=0 success; publish t q1 id=1 [2]; suback 1 granted_qos_1") << loops;
  }
}

TEST(DurableShare, WhatAMemberHadInFlightGoesToAnotherAtItsEnd) {
  for (const char* const properties : {kClean, "11 00000e10"}) {
    Durable server(2);
    TestClient first = server.client("first", 0, properties);
    first.subscribe("$share/g/t", 2);
    publish(server, 1, 2);
    EXPECT_TRUE(first.seen().ends_with("publish t q1 id=1 [1]; publish t q1 id=2 [2]"));
    TestClient second = server.client("second", 1);
    second.subscribe("$share/g/t", 2);
    second.seen();
    first.drop();
    EXPECT_EQ(second.seen(), "publish t q1 id=1 [1]; publish t q1 id=2 [2]");
    first = server.client("first", 0, properties);
    EXPECT_FALSE(first.seen().contains("publish"));  // and to nobody twice
  }
}

TEST(DurableShare, WhatAMemberHadInFlightGoesToAnotherAfterAKill) {
  Durable server;
  TestClient first = server.client("first", 0, kClean);
  first.subscribe("$share/g/t", 1);
  TestClient second = server.client("second");
  second.subscribe("$share/g/t", 1);
  first.seen(), second.seen();
  publish(server, 1, 2);
  EXPECT_EQ(first.seen(), "publish t q1 id=1 [1]");
  EXPECT_EQ(second.seen(), "publish t q1 id=1 [2]");
  server->seconds(2);
  server.restart();
  second = server.client("second");
  EXPECT_EQ(second.seen(), "connack present=1 success; publish t q1 id=2 [1]; publish t q1 id=3 [2]");
}

TEST(DurableShare, AQosTwoFlowThatHasBegunStaysWithItsSession) {
  Durable server(2);
  TestClient first = server.client("first", 0);
  first.subscribe("$share/g/t", 2);
  first.seen();
  publish(server, 1, 1, 2);
  EXPECT_EQ(first.seen(), "publish t q2 id=1 [1]");
  TestClient second = server.client("second", 1);
  second.subscribe("$share/g/t", 2);
  second.seen();
  first.drop();
  EXPECT_EQ(second.seen(), "");
  server.restart();
  second = server.client("second", 1);
  EXPECT_EQ(second.seen(), "connack present=1 success");
  first = server.client("first", 1);
  EXPECT_EQ(first.seen(), "connack present=1 success; publish t q2 id=1 dup [1]");
  first.ack(PacketType::pubrec, 1);
  first.ack(PacketType::pubcomp, 1);
  EXPECT_EQ(first.seen(), "pubrel 1 success");
  first.subscribe("other", 1, 9);  // writes its session's record; the group's is older than that
  EXPECT_EQ(first.seen(), "suback 9 granted_qos_1");
  server.restart();
  second = server.client("second", 1);
  first = server.client("first");
  EXPECT_EQ(first.seen() + second.seen(), "connack present=1 successconnack present=1 success");
  server->seconds(2);  // now the group's record knows, and nobody needs to remember it
  const std::string record = server->recorded(kSessionTopic, "first").value();
  EXPECT_TRUE(decode_session("first", as_bytes(record)).value().session->shared_done.empty());
}

TEST(DurableShare, EndsWithItsLastSubscription) {
  Durable server(3);
  TestClient member = server.client("member");
  member.subscribe("$share/g/t", 1);
  TestClient clean = server.client("clean", 2, kClean);
  clean.subscribe("$share/g/t", 1);
  clean.drop();
  member.drop();
  publish(server, 1, 1);
  EXPECT_EQ(server.messages().high_watermark(), Offset(1));
  member = server.client("member");
  EXPECT_TRUE(member.seen().ends_with("publish t q1 id=1 [1]"));
  member.send(protocol::Packet(protocol::Unsubscribe{2, {"$share/g/t"}, {}}));
  publish(server, 2, 2);
  EXPECT_EQ(member.seen(), "unsuback 2 success");
  EXPECT_EQ(server.messages().high_watermark(), Offset(1));  // nobody wants it logged any more
  EXPECT_EQ(server->exchange().subscriptions.load(), 0U);
  EXPECT_EQ(server->recorded(kSessionTopic, std::string(kShareKeyPrefix) + "g/t"), std::nullopt);
}

TEST(DurableShare, AMembersWindowBoundsWhatItIsHanded) {
  Durable server;
  TestClient busy = server.client("busy", 0, "21 0001");
  busy.subscribe("$share/g/t", 1);
  TestClient idle = server.client("idle", 0, "21 0002");
  idle.subscribe("$share/g/t", 1);
  busy.seen(), idle.seen();
  publish(server, 1, 6);
  EXPECT_EQ(busy.seen(), "publish t q1 id=1 [1]");
  EXPECT_EQ(idle.seen(), "publish t q1 id=1 [2]; publish t q1 id=2 [3]");
  idle.ack(PacketType::puback, 1);
  EXPECT_EQ(idle.seen(), "publish t q1 id=3 [4]");
  busy.ack(PacketType::puback, 1);
  EXPECT_EQ(busy.seen(), "publish t q1 id=2 [5]");
}

// -- wills and slow clients that end with their connection

protocol::Connect with_will(std::string_view id) {
  protocol::Connect packet;
  packet.clean_start = false;
  packet.client_id = id;
  protocol::Will will;
  will.topic = "will";
  will.payload = as_bytes(std::string_view("gone"));
  will.qos = 1;
  packet.will = will;
  return packet;
}

TEST(DurableWill, IsPublishedOnceAfterAKill) {
  Durable server;
  TestClient heir = server.client("heir");
  heir.subscribe("will", 1);
  TestClient device = server->client();
  device.connect(with_will("device"), "11 00000e10");
  heir.seen();
  server->seconds(2);
  server.restart();
  heir = server.client("heir");
  server->seconds(1);
  EXPECT_EQ(heir.seen(), "connack present=1 success; publish will q1 id=1 [gone]");
  server.restart();
  server->seconds(2);
  heir = server.client("heir");
  EXPECT_EQ(heir.seen(), "connack present=1 success; publish will q1 id=1 [gone]");
}

TEST(DurableWill, IsNotPublishedAfterADisconnect) {
  Durable server;
  TestClient heir = server.client("heir");
  heir.subscribe("will", 1);
  TestClient device = server->client();
  device.connect(with_will("device"), "11 00000e10");
  server->seconds(2);
  device.disconnect();
  server->seconds(2);
  server.restart();
  server->seconds(2);
  heir = server.client("heir");
  EXPECT_EQ(heir.seen(), "connack present=1 success");
}

TEST(DurableWill, OfASessionThatEndsWithItsConnection) {
  Durable server;
  TestClient heir = server.client("heir");
  heir.subscribe("will", 1);
  TestClient left = server->client();
  left.connect(with_will("left"), "");
  TestClient polite = server->client();
  polite.connect(with_will("polite"), "");
  polite.disconnect();
  TestClient broken = server->client();
  broken.connect(with_will("broken"), "");
  heir.seen();
  broken.drop();
  EXPECT_EQ(heir.seen(), "publish will q1 id=1 [gone]");
  heir.ack(PacketType::puback, 1);
  server->seconds(2);
  server.restart();
  heir = server.client("heir");
  server->seconds(1);
  EXPECT_EQ(heir.seen(), "connack present=1 success; publish will q1 id=2 [gone]");  // of `left`
  heir.ack(PacketType::puback, 2);
  server->seconds(2);
  server.restart();
  server->seconds(2);
  heir = server.client("heir");
  EXPECT_EQ(heir.seen(), "connack present=1 success");
}

TEST(DurableWill, IsAskedForItsPermissionAfterARestart) {
  for (const bool allowed : {true, false}) {
    auth::PermissionSlot permissions;
    Settings settings;
    settings.access.permissions = &permissions;
    Durable server(1, settings);
    TestClient device = server->client();
    device.connect(with_will("device"), "11 00000e10");
    server->seconds(2);
    permissions.store(
        auth::Permissions::parse(allowed ? "allow anonymous all #" : "allow anonymous publish other").value());
    server.restart();
    server->seconds(2);
    EXPECT_EQ(server->receiver().got.size(), allowed ? 1U : 0U);
    server.restart();  // and that was that
    permissions.store(auth::Permissions::everything());
    server->seconds(2);
    EXPECT_EQ(server->receiver().got.size(), 0U);
  }
}

TEST(Spill, ASlowCleanClientLosesNothingThatWasAcknowledged) {
  for (const std::size_t loops : {1U, 2U}) {
    Settings settings;
    settings.max_queued_bytes = 50;
    Durable server(loops, settings);
    TestClient reader = server.client("reader", 0, "21 0002");
    reader.subscribe("t/#", 2);
    TestClient other = server.client("other", 0, "21 0001");
    other.subscribe("t/#", 1);
    TestClient fast = server.client("fast", 0, kClean);
    fast.subscribe("t/#", 1);
    reader.seen(), other.seen(), fast.seen();
    TestClient device = server->client(Version::v3_1_1, loops - 1);
    device.connect("device");
    device.seen();
    constexpr int kCount = 300;
    for (int i = 1; i <= kCount; ++i) {
      device.publish("t/1", fmt::to_string(i), 1 + i % 2, static_cast<std::uint16_t>(i));
      if (i % 3 == 0) reader.ack(PacketType::puback, static_cast<std::uint16_t>(i / 3));
    }
    EXPECT_GT(server.messages().high_watermark(), Offset(100));
    EXPECT_LT(server.messages().high_watermark(), Offset(kCount + 1));  // once, however many clients are slow
    EXPECT_FALSE(reader.closed());
    std::string got;
    int next = 1;
    for (int quiet = 0; quiet < 3; ++quiet) {
      const std::string seen = reader.seen();
      for (std::size_t at = 0; (at = seen.find("publish t/1 q", at)) != std::string::npos; ++at) {
        unsigned qos = 0;
        unsigned id = 0;
        int number = 0;
        ASSERT_EQ(std::sscanf(seen.c_str() + at, "publish t/1 q%u id=%u [%d]", &qos, &id, &number), 3);
        ASSERT_EQ(number, next++);
        reader.ack(qos == 1 ? PacketType::puback : PacketType::pubrec, static_cast<std::uint16_t>(id));
        if (qos == 2) reader.ack(PacketType::pubcomp, static_cast<std::uint16_t>(id));
        quiet = 0;
      }
    }
    EXPECT_EQ(next, kCount + 1);
    // It is a client like others again.
    const Offset end = server.messages().high_watermark();
    other.drop();
    device.publish("t/1", "again", 1, 1000);
    EXPECT_TRUE(reader.seen().contains("[again]"));
    EXPECT_EQ(server.messages().high_watermark(), end);
    EXPECT_EQ(server->loop().smallest_cursor(), std::nullopt);
  }
}

TEST(Spill, IsNobodysAfterARestart) {
  Settings settings;
  settings.max_queued_bytes = 10;
  Durable server(1, settings);
  TestClient persistent = server.client("persistent");
  persistent.subscribe("#", 1);
  TestClient reader = server.client("reader", 0, "21 0001");
  reader.subscribe("t", 1);
  publish(server, 1, 20);
  EXPECT_GT(server.messages().high_watermark(), Offset(20));
  server.restart();
  persistent = server.client("persistent");
  const std::string seen = persistent.seen();
  std::size_t count = 0;
  for (std::size_t at = 0; (at = seen.find("publish", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 20U);
}

}  // namespace
}  // namespace millrace::mqtt
