// What a server may be made to hold, and what becomes of clients meanwhile (decision 0028).
#include <gtest/gtest.h>

#include <string>

#include "mqtt/testing/small_server.h"

namespace millrace::mqtt {
namespace {

using protocol::Version;
using testing::kBudget;
using testing::receive_maximum_told;
using testing::small;
using testing::TestClient;
using testing::TestServer;
using testing::unfinished_publish;

// A QoS 2 PUBLISH that is never released.
protocol::Packet unacknowledged(std::uint16_t id) {
  protocol::Publish packet;
  packet.topic = "t";
  packet.qos = 2;
  packet.packet_id = id;
  return packet;
}

TEST(MemoryBudget, LoadHasHysteresis) {
  MemoryBudget budget(800);
  const auto after = [&](std::ptrdiff_t held) {
    budget.change(held - static_cast<std::ptrdiff_t>(budget.held()));
    return budget.load();
  };
  EXPECT_EQ(after(399), Load::normal);
  EXPECT_EQ(after(400), Load::tight);
  EXPECT_EQ(after(300), Load::tight);
  EXPECT_EQ(after(299), Load::normal);
  EXPECT_EQ(after(700), Load::full);
  EXPECT_EQ(after(600), Load::full);
  EXPECT_EQ(after(599), Load::tight);
  EXPECT_EQ(after(5'000), Load::full);
  EXPECT_EQ(budget.excess(), 4'400U);
  EXPECT_EQ(after(0), Load::normal);
}

TEST(MemoryBudget, ReceiveMaximumShrinksWithTheRoom) {
  MemoryBudget budget(800);
  EXPECT_EQ(budget.receive_maximum(8'192), 8'192);
  budget.change(400);
  const std::uint16_t half = budget.receive_maximum(8'192);
  EXPECT_LT(half, 8'192);
  budget.change(200);
  EXPECT_LT(budget.receive_maximum(8'192), half);
  budget.change(1'000);
  EXPECT_EQ(budget.receive_maximum(8'192), 16);
  EXPECT_EQ(budget.receive_maximum(5), 5);
}

TEST(Protection, UnfinishedPacketsCountUntilTheyAreGone) {
  TestServer server(small());
  TestClient client = server.client();
  client.connect("a");
  client.send(unfinished_publish(100'000));
  EXPECT_GE(server.exchange().memory.held(), 98'304U);
  client.send("x");
  EXPECT_EQ(server.exchange().memory.held(), 0U);
  client.send(unfinished_publish(100'000));
  client.drop();
  server.seconds(1);
  EXPECT_EQ(server.exchange().memory.held(), 0U);
}

TEST(Protection, ReceiveMaximumOfThoseWhoComeIsSmallWhenItIsTight) {
  TestServer server(small());
  TestClient before = server.client();
  before.connect("before");
  EXPECT_EQ(receive_maximum_told(before), 8'192);
  TestClient holder = server.client();
  holder.connect("holder");
  holder.send(unfinished_publish(700'000));
  TestClient after = server.client();
  after.connect("after");
  const auto told = receive_maximum_told(after);
  EXPECT_LT(told, 8'000);
  for (std::uint16_t id = 1; id <= told; ++id) after.send(unacknowledged(id));
  EXPECT_FALSE(after.closed());
  after.send(unacknowledged(static_cast<std::uint16_t>(told + 1)));
  EXPECT_TRUE(after.closed()) << "what was told holds";
  holder.send("x");  // all there: room again
  TestClient last = server.client();
  last.connect("last");
  EXPECT_EQ(receive_maximum_told(last), 8'192);
}

TEST(Protection, WhileFullPublishersWaitAndQuietClientsDoNot) {
  TestServer server(small());
  TestClient quiet = server.client();
  TestClient publisher = server.client();
  TestClient holder = server.client();
  quiet.connect("quiet");
  publisher.connect("publisher");
  holder.connect("holder");
  quiet.seen();
  publisher.seen();
  holder.send(unfinished_publish(1'000'000));
  EXPECT_EQ(server.exchange().memory.load(), Load::full);
  server.turn();
  publisher.publish("t", "x", 1, 1);
  publisher.publish("t", "x", 1, 2);
  EXPECT_TRUE(publisher.paused());
  EXPECT_EQ(server.receiver().got.size(), 1U);
  quiet.send_hex("c000");
  EXPECT_EQ(quiet.seen(), "pingresp");
  holder.drop();
  server.seconds(1);
  EXPECT_FALSE(publisher.paused());
  EXPECT_EQ(server.receiver().got.size(), 2U);
  EXPECT_EQ(publisher.seen(), "puback 1 success; puback 2 success");
}

TEST(Protection, WhoHoldsMostIsClosedWhenNothingElseHelps) {
  TestServer server(small());
  TestClient large = server.client();
  TestClient little = server.client(Version::v3_1_1);
  large.connect("large");
  little.connect("little");
  large.seen();
  large.send(unfinished_publish(900'000));
  little.send(unfinished_publish(60'000));
  server.seconds(9);
  EXPECT_FALSE(large.closed());
  server.seconds(3);
  EXPECT_EQ(large.seen().substr(0, 25), "disconnect quota_exceeded");
  EXPECT_TRUE(large.closed());
  EXPECT_FALSE(little.closed());
  EXPECT_FALSE(little.paused());
}

TEST(Protection, BeyondTheBudgetWhoTakesMoreIsClosedAtOnce) {
  TestServer server(small());
  std::vector<TestClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(server.client());
    clients.back().connect("c" + std::to_string(i));
    clients.back().seen();
  }
  for (TestClient& client : clients) {
    client.send(unfinished_publish(200'000));
    EXPECT_LT(server.exchange().memory.held(), kBudget + 200'000);
  }
  int closed = 0;
  for (TestClient& client : clients) closed += client.closed() ? 1 : 0;
  EXPECT_GE(closed, 14);
  EXPECT_EQ(clients.back().seen().substr(0, 25), "disconnect quota_exceeded");
}

TEST(Protection, OneIdentityMayNotHoldEverything) {
  TestServer server(small(131'072));
  TestClient greedy = server.client(Version::v3_1_1);
  TestClient other = server.client();
  greedy.connect("greedy");
  other.connect("other");
  other.seen();
  greedy.send(unfinished_publish(200'000));
  EXPECT_TRUE(greedy.paused());
  other.publish("t", "x", 1, 1);
  EXPECT_EQ(other.seen(), "puback 1 success");
  server.seconds(9);
  EXPECT_FALSE(greedy.closed());
  server.seconds(3);
  EXPECT_TRUE(greedy.closed());
  EXPECT_FALSE(other.closed());
}

TEST(Protection, QoS0ForTheSlowIsDroppedEarlierWhenItIsTight) {
  TestServer server(small());
  TestClient slow = server.client();
  slow.connect("slow");
  slow.subscribe("t");
  slow.peer().takes_nothing = true;
  TestClient publisher = server.client();
  publisher.connect("publisher");
  const std::string payload(10'000, 'x');
  for (int i = 0; i < 10; ++i) publisher.publish("t", payload);
  EXPECT_EQ(server.exchange().metrics.dropped_slow.value(), 0U);
  TestClient holder = server.client();
  holder.connect("holder");
  holder.send(unfinished_publish(600'000));
  EXPECT_EQ(server.exchange().memory.load(), Load::tight);
  server.turn();
  publisher.publish("t", payload);
  EXPECT_EQ(server.exchange().metrics.dropped_slow.value(), 1U);
}

// PINGREQ of a client whose messages cannot be taken now.
TEST(Protection, PingsBehindMessagesThatWaitAreAnsweredOnceEach) {
  TestServer server;
  TestClient client = server.client();
  client.connect("a", true, 10);
  client.seen();
  server.receiver().pressure = Pressure::pause;
  client.publish("t", "first", 1, 1);
  server.receiver().settles_by_itself = false;
  client.publish("t", "second", 1, 2);
  client.send_hex("c000");
  client.publish("t", "third", 1, 3);
  client.send_hex("c000");
  EXPECT_EQ(server.receiver().got.size(), 1U);
  client.seen();
  server.seconds(1);
  EXPECT_EQ(client.seen(), "pingresp; pingresp");
  client.send_hex("c000");
  EXPECT_EQ(client.seen(), "pingresp") << "it goes on";
  server.seconds(100);
  EXPECT_FALSE(client.closed());
  EXPECT_EQ(server.receiver().got.size(), 1U);
  server.receiver().settles_by_itself = true;
  server.receiver().relieve();
  server.turn();
  EXPECT_EQ(server.receiver().got.size(), 3U);
  EXPECT_EQ(client.seen(), "puback 2 success; puback 3 success");
  client.send_hex("c000");
  EXPECT_EQ(client.seen(), "pingresp");
}

TEST(Protection, NotMuchIsReadInSearchOfPings) {
  TestServer server;
  TestClient client = server.client();
  client.connect("a");
  server.receiver().pressure = Pressure::pause;
  client.publish("t", "first", 1, 1);
  server.seconds(1);
  const std::string payload(70'000, 'x');
  client.publish("t", payload, 1, 2);
  EXPECT_TRUE(client.paused());
  server.seconds(1);
  EXPECT_TRUE(client.paused());
}

TEST(Protection, TopicsHaveLimitsOfLevelsAndBytes) {
  Settings settings;
  settings.max_topic_levels = 4;
  settings.max_topic_bytes = 20;
  TestServer server(settings);
  TestClient five = server.client();
  five.connect("five");
  five.seen();
  five.publish("a/b/c/d", "x", 1, 1);
  EXPECT_EQ(five.seen(), "puback 1 success");
  five.publish("a/b/c/d/e", "x", 1, 2);
  EXPECT_EQ(five.seen(), "puback 2 topic_name_invalid");
  five.publish("twenty-one-characters", "x", 2, 3);
  EXPECT_EQ(five.seen(), "pubrec 3 topic_name_invalid");
  five.publish("a/b/c/d/e", "x", 0);
  five.subscribe("a/+/+/+/#");
  EXPECT_EQ(five.seen(), "suback 1 topic_filter_invalid");
  EXPECT_EQ(server.receiver().got.size(), 1U);
  EXPECT_EQ(server.exchange().metrics.dropped_topic.value(), 3U);
  TestClient three = server.client(Version::v3_1_1);
  three.connect("three");
  three.publish("a/b/c/d/e", "x", 1, 1);
  EXPECT_EQ(three.seen(), "connack present=0 success") << "no acknowledgement of what is not taken";
  EXPECT_TRUE(three.closed());
}

TEST(Protection, RetainedMessagesOfOneIdentityAreCounted) {
  Settings settings;
  settings.retained.max_messages_per_owner = 2;
  settings.retained.max_bytes_per_owner = 100;
  TestServer server(settings);
  TestClient flood = server.client();
  flood.connect("flood");
  flood.seen();
  flood.publish("a", "1", 1, 1, true);
  flood.publish("b", "1", 1, 2, true);
  flood.publish("c", "1", 1, 3, true);
  EXPECT_EQ(flood.seen(), "puback 1 success; puback 2 success; puback 3 quota_exceeded");
  flood.publish("b", "2", 1, 4, true);  // replaces its own
  EXPECT_EQ(flood.seen(), "puback 4 success");
  flood.publish("b", std::string(100, 'x'), 1, 5, true);
  EXPECT_EQ(flood.seen(), "puback 5 quota_exceeded");
  TestClient other = server.client();
  other.connect("other");
  other.seen();
  other.publish("b", "3", 1, 1, true);  // takes it over: the other one has room again
  other.publish("d", "3", 1, 2, true);
  EXPECT_EQ(other.seen(), "puback 1 success; puback 2 success");
  flood.publish("c", "1", 1, 6, true);
  EXPECT_EQ(flood.seen(), "puback 6 success");
  flood.publish("c", "", 1, 7, true);
  flood.publish("e", "1", 1, 8, true);
  EXPECT_EQ(flood.seen(), "puback 7 success; puback 8 success");
}

}  // namespace
}  // namespace millrace::mqtt
