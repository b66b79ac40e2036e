// Lifecycle events, Basic Ingest, and what people do with a running server: lists, ends, messages, requests, traces.
#include <gtest/gtest.h>

#include "mqtt/server/administration.h"
#include "mqtt/testing/durable_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::ReasonCode;
using protocol::Version;
using testing::Durable;
using testing::QueueExecutor;
using testing::TestClient;
using testing::TestServer;

Settings with_events() {
  Settings settings;
  settings.lifecycle_events = true;
  return settings;
}

TEST(Lifecycle, RulesHearOfClients) {
  TestServer server(with_events());
  TestClient client = server.client();
  client.connect("dev");
  client.subscribe("a/#", 1);
  client.send(protocol::Packet(protocol::Unsubscribe{2, {"a/#"}, {}}));
  client.disconnect();
  ASSERT_EQ(server.receiver().got.size(), 4U);
  const auto& got = server.receiver().got;
  EXPECT_EQ(got[0].topic, "$aws/events/presence/connected/dev");
  EXPECT_TRUE(got[0].payload.contains(R"("clientId":"dev")"));
  EXPECT_TRUE(got[0].payload.contains(R"("eventType":"connected")"));
  EXPECT_EQ(got[1].topic, "$aws/events/subscriptions/subscribed/dev");
  EXPECT_TRUE(got[1].payload.ends_with(R"("topics":["a/#"]})")) << got[1].payload;
  EXPECT_EQ(got[2].topic, "$aws/events/subscriptions/unsubscribed/dev");
  EXPECT_EQ(got[3].topic, "$aws/events/presence/disconnected/dev");
  EXPECT_TRUE(got[3].payload.contains(R"("clientInitiatedDisconnect":true)")) << got[3].payload;
}

TEST(Lifecycle, TellsWhyAClientIsGone) {
  const auto reason = [](auto end) {
    TestServer server(with_events());
    TestClient client = server.client();
    client.connect("dev", true, 10);
    end(server, client);
    for (const auto& got : server.receiver().got) {
      if (!got.topic.starts_with("$aws/events/presence/disconnected")) continue;
      const std::size_t from = got.payload.find("disconnectReason") + 19;
      return got.payload.substr(from, got.payload.find('"', from) - from);
    }
    return std::string("none");
  };
  EXPECT_EQ(reason([](auto&, auto& client) { client.drop(); }), "CONNECTION_LOST");
  EXPECT_EQ(reason([](auto& server, auto&) { server.seconds(30); }), "MQTT_KEEP_ALIVE_TIMEOUT");
  EXPECT_EQ(reason([](auto&, auto& client) { client.send_hex("c001 00"); }), "CLIENT_ERROR");
  EXPECT_EQ(reason([](auto& server, auto&) {
              TestClient other = server.client();
              other.connect("dev");
            }),
            "DUPLICATE_CLIENTID");
}

TEST(Lifecycle, SubscribersThatNameThemHearThem) {
  TestServer server(with_events(), 2);
  TestClient watcher = server.client(Version::v5, 1);
  watcher.connect("watcher");
  watcher.subscribe("#", 1);
  watcher.subscribe("$aws/events/presence/+/dev", 1, 2);
  watcher.seen();
  TestClient client = server.client(Version::v5, 0);
  client.connect("dev");
  EXPECT_TRUE(watcher.seen().starts_with("publish $aws/events/presence/connected/dev q1 id=1 ["));
  client.publish("$aws/events/presence/connected/other", "{}");  // nobody else may say so
  EXPECT_EQ(client.seen(), "connack present=0 success; disconnect not_authorized");
}

TEST(BasicIngest, GoesToTheRuleAndToNobodyElse) {
  TestServer server;
  TestClient watcher = server.client();
  watcher.connect("watcher");
  watcher.subscribe("$aws/rules/#", 1);
  watcher.seen();
  TestClient client = server.client();
  client.connect("dev");
  client.publish("$aws/rules/store/a/b", "{}", 1, 1, true);
  ASSERT_EQ(server.receiver().got.size(), 1U);
  EXPECT_EQ(server.receiver().got[0].topic, "$aws/rules/store/a/b");
  EXPECT_EQ(watcher.seen(), "");
  EXPECT_EQ(server.exchange().retained.with([](const RetainedStore& store) { return store.size(); }), 0U);
}

class AdministrationTest : public ::testing::Test {
 protected:
  std::vector<SessionState> list(Durable& server, SessionQuery query) {
    std::vector<SessionState> found;
    Administration(server->exchange()).list(std::move(query), executor, [&](auto all) { found = std::move(all); });
    settle(server);
    return found;
  }
  bool disconnect(Durable& server, const std::string& id, bool end_session) {
    std::optional<ReceiptStatus> done;
    Administration(server->exchange()).disconnect(id, end_session, executor, [&](auto status) { done = status; });
    settle(server);
    return done.has_value();
  }
  void settle(Durable& server) {
    for (int i = 0; i < 3; ++i) {
      server->turn();
      while (executor.run()) {
      }
    }
  }
  static std::string ids(const std::vector<SessionState>& sessions) {
    std::string text;
    for (const SessionState& one : sessions) text += one.client_id + (one.connected ? "+ " : "- ");
    return text;
  }
  QueueExecutor executor;
};

TEST_F(AdministrationTest, ListsSessionsOfAllLoopsInOrder) {
  Durable server(3);
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < 5; ++i) clients.push_back(server.client("dev" + std::to_string(i), i % 3));
  clients[1].subscribe("a/#", 1);
  clients[3].drop();
  EXPECT_EQ(ids(list(server, {})), "dev0+ dev1+ dev2+ dev3- dev4+ ");
  SessionQuery connected;
  connected.connected_only = true;
  EXPECT_EQ(ids(list(server, connected)), "dev0+ dev1+ dev2+ dev4+ ");
  SessionQuery after;
  after.after = "dev1";
  after.limit = 2;
  EXPECT_EQ(ids(list(server, after)), "dev2+ dev3- ");
  SessionQuery other;
  other.prefix = "x";
  EXPECT_EQ(ids(list(server, other)), "");
  const auto one = list(server, {.only = "dev1", .with_subscriptions = true});
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].protocol, "5.0");
  ASSERT_EQ(one[0].subscriptions.size(), 1U);
  EXPECT_EQ(one[0].subscriptions[0].filter, "a/#");
}

TEST_F(AdministrationTest, EndsConnectionsAndSessions) {
  Durable server(2);
  TestClient client = server.client("dev", 1);
  client.seen();
  EXPECT_TRUE(disconnect(server, "dev", false));
  EXPECT_EQ(client.seen(), "disconnect administrative_action");
  EXPECT_EQ(ids(list(server, {})), "dev- ");
  EXPECT_FALSE(disconnect(server, "dev", false));
  EXPECT_TRUE(disconnect(server, "dev", true));
  EXPECT_EQ(ids(list(server, {})), "");
  EXPECT_EQ(server->recorded(kSessionTopic, "dev"), std::nullopt);
  EXPECT_FALSE(disconnect(server, "dev", true));
  client = server.client("dev", 1);
  client.seen();
  EXPECT_TRUE(disconnect(server, "dev", true));
  client = server.client("dev", 0);
  EXPECT_EQ(client.seen(), "connack present=0 success");
}

TEST_F(AdministrationTest, TheEndOfASessionIsAnsweredWhenItIsOnDisk) {
  for (const bool connected : {true, false}) {
    Durable server;
    TestClient client = server.client("dev");
    client.subscribe("a/#", 1);
    client.seen();
    if (!connected) client.drop();
    settle(server);
    server->receiver().settles_by_itself = false;
    std::optional<ReceiptStatus> told;
    Administration(server->exchange()).disconnect("dev", true, executor, [&](auto status) { told = status; });
    settle(server);
    EXPECT_FALSE(told) << connected;
    server->receiver().settle();
    settle(server);
    EXPECT_EQ(told, ReceiptStatus::durable) << connected;
    EXPECT_EQ(server->recorded(kSessionTopic, "dev"), std::nullopt);
  }
}

// Between DISCONNECT and the record of since when the session waits.
TEST_F(AdministrationTest, ASessionIsThereWhileItsConnectionGoes) {
  Durable server;
  TestClient client = server.client("dev");
  client.subscribe("a/#", 1);
  settle(server);
  server->receiver().settles_by_itself = false;
  client.drop();
  EXPECT_EQ(ids(list(server, {})), "dev- ");
  int told = 0;
  for (int i = 0; i < 2; ++i) {
    Administration(server->exchange()).disconnect("dev", true, executor, [&](auto status) {
      told += status ? 1 : 100;
    });
  }
  settle(server);
  EXPECT_EQ(told, 0);
  for (int i = 0; i < 3; ++i) {
    server->receiver().settle();
    settle(server);
  }
  EXPECT_EQ(told, 2);
  EXPECT_EQ(ids(list(server, {})), "");
  EXPECT_EQ(server->recorded(kSessionTopic, "dev"), std::nullopt);
}

TEST_F(AdministrationTest, TheEndOfASessionThatFindsNoRoomIsTold) {
  Durable server;
  server.client("dev").drop();
  settle(server);
  server->receiver().settles_by_itself = false;
  std::optional<ReceiptStatus> told;
  Administration(server->exchange()).disconnect("dev", true, executor, [&](auto status) { told = status; });
  settle(server);
  server->receiver().settle(ReceiptStatus::quota);
  settle(server);
  EXPECT_EQ(told, ReceiptStatus::quota);
}

TEST_F(AdministrationTest, PublishIsAnsweredWhenItIsDurable) {
  Durable server(2);
  TestClient reader = server.client("reader", 1);
  reader.subscribe("t", 1);
  reader.seen();
  server->receiver(0).settles_by_itself = false;
  Administration admin(server->exchange());
  std::optional<ReceiptStatus> status;
  ASSERT_TRUE(admin.publish({.topic = "t", .payload = "x"}, executor, [&](ReceiptStatus s) { status = s; }));
  settle(server);
  EXPECT_FALSE(status);
  server->receiver(0).settle();
  settle(server);
  EXPECT_EQ(status, ReceiptStatus::durable);
  EXPECT_EQ(reader.seen(), "publish t q1 id=1 [x]");
  EXPECT_FALSE(admin.publish({.topic = "a/#", .payload = ""}, executor, [](ReceiptStatus) {}));
  EXPECT_FALSE(admin.publish({.topic = "$SYS/x", .payload = ""}, executor, [](ReceiptStatus) {}));
}

TEST_F(AdministrationTest, ARequestWaitsForTheDevicesAnswer) {
  Durable server(2);
  Administration admin(server->exchange());
  for (const std::string& topic : {std::string(), std::string("answers")}) {
    TestClient device = server->client(Version::v5, 1);
    device.connect("device");
    device.subscribe("commands/device", 1);
    device.seen();
    std::string answer;
    ASSERT_TRUE(admin.request({.topic = "commands/device", .payload = "lock", .response_topic = topic}, executor,
                              [&](const AdminResponse& response) { answer = response.payload; }));
    settle(server);
    const std::string asked_bytes = device.raw();
    device.seen();
    const auto asked = protocol::decode_publish(*protocol::next_frame(as_bytes(asked_bytes), 1'000), Version::v5);
    ASSERT_TRUE(asked);
    EXPECT_EQ(as_text(asked->payload), "lock");
    const std::string reply_topic(asked->properties.text(protocol::PropertyId::response_topic));
    device.publish(reply_topic + "/other", "no");
    if (!topic.empty()) device.publish(topic, "somebody else's answer");
    settle(server);
    EXPECT_EQ(answer, "");
    Buffer block;
    if (!topic.empty()) {
      protocol::PropertyWriter(block).add(protocol::PropertyId::correlation_data,
                                          asked->properties.text(protocol::PropertyId::correlation_data));
    }
    protocol::Publish back;
    back.properties = protocol::validate_properties(block.view(), PacketType::publish).value();
    back.topic = reply_topic;
    back.payload = as_bytes(std::string_view("locked"));
    device.send(protocol::Packet(back));
    settle(server);
    EXPECT_EQ(answer, "locked");
    EXPECT_FALSE(server->exchange().responses.anyone());
  }
}

TEST_F(AdministrationTest, ARequestCanBeForgotten) {
  Durable server;
  Administration admin(server->exchange());
  bool heard = false;
  const auto id = admin.request({.topic = "t", .payload = "", .response_topic = "r"}, executor,
                                [&](const AdminResponse&) { heard = true; });
  ASSERT_TRUE(id);
  EXPECT_TRUE(admin.forget(*id));
  EXPECT_FALSE(admin.forget(*id));
  settle(server);
  EXPECT_FALSE(heard);
}

}  // namespace
}  // namespace millrace::mqtt
