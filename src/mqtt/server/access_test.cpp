// Who may connect, and what it may do: passwords, permissions at publish, subscribe, delivery and will, reloads.
#include <gtest/gtest.h>

#include "base/queue_executor.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::ReasonCode;
using protocol::Version;
using testing::TestClient;
using testing::TestServer;

std::uint64_t counted() {
  static std::uint64_t next = 0;
  return ++next * 0x9E3779B97F4A7C15ULL;
}

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    users.restore(
        "ann",
        auth::to_text(auth::Credentials{auth::make_scram_credential(auth::ScramKind::sha256, "secret", counted)}));
    users.restore("truck",
                  auth::to_text(auth::Credentials{*auth::make_token_credential(std::string(32, 't'), counted)}));
  }
  [[nodiscard]] Settings settings(Executor* worker = nullptr) {
    authenticator.emplace(users, worker, registry, counted);
    Settings made;
    made.access = {true, &*authenticator, &permissions};
    return made;
  }
  static void connect(TestClient& client, std::string_view id, std::optional<std::string_view> name,
                      std::optional<std::string_view> password, std::optional<protocol::Will> will = {}) {
    protocol::Connect packet;
    packet.version = client.version();
    packet.client_id = id;
    packet.username = name;
    if (password) packet.password = as_bytes(*password);
    packet.will = std::move(will);
    client.connect(packet);
  }
  void allow(const std::string& rules) { permissions.store(auth::Permissions::parse(rules).value()); }

  auth::Users users;
  metrics::Registry registry;
  std::optional<auth::Authenticator> authenticator;
  auth::PermissionSlot permissions;
};

TEST_F(AccessTest, PasswordsAndTokens) {
  TestServer server(settings());
  const auto answer = [&](Version version, std::optional<std::string_view> name,
                          std::optional<std::string_view> password) {
    TestClient client = server.client(version);
    connect(client, "c", name, password);
    return client.seen() + (client.closed() ? " closed" : "");
  };
  EXPECT_EQ(answer(Version::v5, "ann", "secret"), "connack present=0 success");
  EXPECT_EQ(answer(Version::v5, "truck", std::string(32, 't')), "connack present=0 success");
  for (const auto version : {Version::v5, Version::v3_1_1}) {
    EXPECT_NE(answer(version, "ann", "guess").find("closed"), std::string::npos);
    EXPECT_NE(answer(version, "nobody", "secret").find("closed"), std::string::npos);
    EXPECT_NE(answer(version, "ann", std::nullopt).find("closed"), std::string::npos);
    EXPECT_NE(answer(version, std::nullopt, std::nullopt).find("closed"), std::string::npos);
  }
}

TEST_F(AccessTest, WhileThePasswordIsCheckedNothingIsRead) {
  millrace::QueueExecutor worker;
  TestServer server(settings(&worker));
  TestClient client = server.client();
  connect(client, "c", "ann", "secret");
  client.publish("a", "x", 1, 1);
  EXPECT_EQ(client.seen(), "");
  worker.run_ready();
  server.turn();
  EXPECT_TRUE(client.seen().starts_with("connack present=0 success"));

  TestClient gone = server.client();
  connect(gone, "d", "ann", "secret");
  gone.drop();
  worker.run_ready();  // the answer finds nobody
  server.turn();
}

TEST_F(AccessTest, PublishIsJudgedByQualityAndVersion) {
  allow("allow * publish ok/#\n");
  TestServer server(settings());
  TestClient five = server.client();
  connect(five, "five", "ann", "secret");
  (void)five.seen();
  five.publish("ok/a", "x", 1, 1);
  EXPECT_NE(five.seen().find("puback"), std::string::npos);
  five.publish("no/a", "x", 0);
  EXPECT_EQ(five.seen(), "");
  five.publish("no/a", "x", 1, 2);
  EXPECT_NE(five.seen().find("not_authorized"), std::string::npos);
  five.publish("no/a", "x", 2, 3);
  EXPECT_NE(five.seen().find("not_authorized"), std::string::npos);
  five.publish("no/a", "x", 2, 3);  // the identifier is free again
  EXPECT_NE(five.seen().find("not_authorized"), std::string::npos);
  EXPECT_FALSE(five.closed());

  TestClient old = server.client(Version::v3_1_1);
  connect(old, "old", "ann", "secret");
  old.publish("no/a", "x", 0);
  EXPECT_FALSE(old.closed());
  old.publish("no/a", "x", 1, 1);  // a PUBACK would be untrue
  EXPECT_TRUE(old.closed());
}

TEST_F(AccessTest, SubscriptionsAndDeliveries) {
  allow("allow * publish #\nallow * subscribe mine/${clientid}/#\n");
  TestServer server(settings());
  TestClient client = server.client();
  connect(client, "c", "ann", "secret");
  (void)client.seen();
  client.subscribe("#", 0, 1);
  EXPECT_NE(client.seen().find("not_authorized"), std::string::npos);
  client.subscribe("mine/+/a", 0, 2);
  EXPECT_NE(client.seen().find("not_authorized"), std::string::npos);
  client.subscribe("mine/c/#", 0, 3);
  EXPECT_EQ(client.seen().find("not_authorized"), std::string::npos);
  client.publish("mine/c/a", "x");
  EXPECT_NE(client.seen().find("mine/c/a"), std::string::npos);
  allow("allow * publish #\n");  // taken away: the subscription stays, nothing comes
  client.publish("mine/c/a", "y");
  EXPECT_EQ(client.seen(), "");
}

TEST_F(AccessTest, ARetainedMessageIsJudgedWhenItIsDelivered) {
  TestServer server(settings());
  TestClient client = server.client();
  connect(client, "c", "ann", "secret");
  client.publish("r/secret", "x", 0, 0, true);
  client.publish("r/open", "y", 0, 0, true);
  (void)client.seen();
  allow("allow * subscribe r/open\nallow * subscribe r/secret\n");
  client.subscribe("r/open", 0, 1);
  EXPECT_NE(client.seen().find("r/open"), std::string::npos);
  allow("allow * subscribe r/open\n");
  client.subscribe("r/secret", 0, 2);
  EXPECT_EQ(client.seen().find("r/secret"), std::string::npos);
}

TEST_F(AccessTest, AWillIsJudgedAtConnectAndWhenItFires) {
  allow("allow * publish wills/#\nallow * subscribe wills/#\n");
  TestServer server(settings());
  TestClient watcher = server.client();
  connect(watcher, "w", "ann", "secret");
  watcher.subscribe("wills/#");
  (void)watcher.seen();
  protocol::Will will;
  will.topic = "wills/c";
  will.payload = as_bytes("gone");
  protocol::Will other = will;
  other.topic = "elsewhere";

  TestClient refused = server.client();
  connect(refused, "x", "ann", "secret", other);
  EXPECT_TRUE(refused.closed());

  TestClient client = server.client();
  connect(client, "c", "ann", "secret", will);
  client.drop();
  server.turn();
  EXPECT_NE(watcher.seen().find("wills/c"), std::string::npos);

  TestClient second = server.client();
  connect(second, "c", "ann", "secret", will);
  allow("allow * subscribe wills/#\n");
  second.drop();
  server.turn();
  EXPECT_EQ(watcher.seen().find("wills/c"), std::string::npos);
}

}  // namespace
}  // namespace millrace::mqtt
