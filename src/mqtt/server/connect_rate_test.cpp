#include "mqtt/server/connect_rate.h"

#include <gtest/gtest.h>

#include <string>

#include "mqtt/server/listener_gate.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using namespace std::chrono_literals;
using protocol::Version;
using testing::TestClient;
using testing::TestServer;

TEST(ConnectRate, WithoutALimitNothingWaitsAndNothingIsKept) {
  ConnectRate rate(0, 10s);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rate.reserve("a", 1ns), 0ms);
  EXPECT_EQ(rate.keys(), 0U);
}

TEST(ConnectRate, ABurstPassesThenPlacesComeAtTheRateThenItIsTooLong) {
  ConnectRate rate(2, 3s);
  const MonoTime now = 100s;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rate.reserve("a", now), 0ms) << i;
  for (int i = 1; i <= 6; ++i) EXPECT_EQ(rate.reserve("a", now), 500ms * i);
  EXPECT_EQ(rate.reserve("a", now), std::nullopt);
  EXPECT_EQ(rate.reserve("a", now), std::nullopt);  // and that takes no place
  EXPECT_EQ(rate.reserve("b", now), 0ms);
  EXPECT_EQ(rate.reserve("a", now + 1s), 2500ms);
  EXPECT_EQ(rate.reserve("a", now + 60s), 0ms);
}

TEST(ConnectRate, KeysThatHaveBeenQuietAreForgotten) {
  ConnectRate rate(1, 3s);
  MonoTime now = 1s;
  for (int i = 0; i < 100'000; ++i) {
    now += 1ms;
    EXPECT_EQ(rate.reserve(std::to_string(i), now), 0ms);
  }
  EXPECT_LT(rate.keys(), 5'000U);  // a second of them counts
}

TEST(ListenerGate, SpreadsWhatComesAtOnce) {
  ManualClock clock;
  metrics::Registry registry;
  ServerMetrics metrics(registry);
  MemoryBudget budget(1 << 20);
  ListenerGate gate(100, "here", budget, clock, metrics);
  int accepted = 0;
  for (; gate.wait() == 0ms; ++accepted) gate.accepted();
  EXPECT_EQ(accepted, 100);
  EXPECT_LE(gate.wait(), 20ms);
  for (int ms = 0; ms < 1000; ++ms) {
    clock.advance(1ms);
    for (; gate.wait() == 0ms; ++accepted) gate.accepted();
  }
  EXPECT_NEAR(accepted, 200, 1);
}

TEST(ListenerGate, WaitsWhileTheBudgetIsFullAndGoesOn) {
  ManualClock clock;
  metrics::Registry registry;
  ServerMetrics metrics(registry);
  MemoryBudget budget(1 << 20);
  ListenerGate gate(0, "here", budget, clock, metrics);
  EXPECT_EQ(gate.wait(), 0ms);
  budget.change(1 << 20);
  EXPECT_GT(gate.wait(), 0ms);
  budget.change(-(1 << 20));
  EXPECT_EQ(gate.wait(), 0ms);
}

Settings rates(std::uint32_t address, std::uint32_t identity, std::uint32_t takeover) {
  Settings settings;
  settings.connect_rate_per_address = address;
  settings.connect_rate_per_identity = identity;
  settings.takeover_rate = takeover;
  settings.connect_wait = 3s;
  return settings;
}

TEST(ConnectRates, AStormFromOneAddressIsSpreadAndItsEndRefused) {
  TestServer server(rates(1, 0, 0));
  std::vector<TestClient> clients;
  for (int i = 0; i < 15; ++i) {
    clients.push_back(server.client(i % 2 == 0 ? Version::v5 : Version::v3_1_1));
    clients.back().connect("c" + std::to_string(i));
  }
  const auto connected = [&] {
    int count = 0;
    for (TestClient& client : clients) count += client.seen().starts_with("connack present=0 success") ? 1 : 0;
    return count;
  };
  EXPECT_EQ(clients[13].seen(), "connack present=0 server_unavailable") << "3.1.1 has no other word";
  EXPECT_EQ(clients[14].seen(), "connack present=0 connection_rate_exceeded");
  EXPECT_TRUE(clients[14].closed());
  EXPECT_EQ(connected(), 10);
  EXPECT_TRUE(clients[10].paused());
  server.seconds(1);
  EXPECT_EQ(connected(), 1);
  server.seconds(2);
  EXPECT_EQ(connected(), 2);
  EXPECT_NE(server.metrics().find("millrace_mqtt_connects_held_total 3"), std::string::npos);
}

TEST(ConnectRates, TwoClientsThatFightOverAnIdentifierTakeTurnsSlowly) {
  TestServer server(rates(0, 0, 1));
  int taken_over = 0;
  std::vector<TestClient> clients;
  for (int second = 0; second < 60; ++second) {
    for (int tries = 0; tries < 5; ++tries) {  // whoever is not connected connects again
      clients.push_back(server.client());
      clients.back().connect("same");
      if (clients.back().seen().starts_with("connack present=0 success")) ++taken_over;
      if (clients.size() > 1 && clients[clients.size() - 2].closed()) clients.erase(clients.end() - 2);
    }
    server.seconds(1);
    for (TestClient& client : clients) taken_over += client.seen().starts_with("connack present=0 success") ? 1 : 0;
  }
  EXPECT_GE(taken_over, 60);
  EXPECT_LE(taken_over, 60 + 12) << "ten at once, then one a second";
}

TEST(ConnectRates, AClientThatComesBackAfterItsEndIsNoTakeOver) {
  TestServer server(rates(0, 0, 1));
  for (int i = 0; i < 50; ++i) {
    TestClient client = server.client();
    client.connect("same");
    EXPECT_EQ(client.seen().substr(0, 25), "connack present=0 success");
    client.disconnect();
    client.drop();
  }
}

TEST(ConnectRates, OneIdentityDoesNotHoldUpAnother) {
  TestServer server(rates(0, 1, 0));
  for (int i = 0; i < 30; ++i) {
    TestClient greedy = server.client();
    greedy.connect("greedy");
    greedy.drop();
    TestClient other = server.client();
    other.connect("other" + std::to_string(i));
    EXPECT_EQ(other.seen().substr(0, 25), "connack present=0 success") << i;
    other.drop();
  }
}

TEST(ConnectRates, WhoGoesWhileHeldBackLeavesNothing) {
  TestServer server(rates(0, 0, 1));
  TestClient first = server.client();
  first.connect("same");
  std::vector<TestClient> waiting;
  for (int i = 0; i < 13; ++i) {
    waiting.push_back(server.client());
    waiting.back().connect("same");
  }
  for (TestClient& client : waiting) client.drop();
  server.seconds(15);
  EXPECT_EQ(server.loop().connection_count(), 0U);
  TestClient last = server.client();
  last.connect("same");
  EXPECT_EQ(last.seen().substr(0, 25), "connack present=0 success");
}

}  // namespace
}  // namespace millrace::mqtt
