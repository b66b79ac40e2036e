// Enhanced authentication (4.12): SCRAM before CONNACK and again on a connection that stays.
#include <gtest/gtest.h>

#include "auth/testing/scram_client.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using auth::ScramKind;
using auth::testing::ScramClient;
using protocol::PropertyId;
using protocol::ReasonCode;
using testing::TestClient;
using testing::TestServer;

std::uint64_t counted() {
  static std::uint64_t next = 0;
  return ++next * 0x9E3779B97F4A7C15ULL;
}

class EnhancedAuth : public ::testing::Test {
 protected:
  EnhancedAuth() {
    for (const char* const user : {"ann", "ben"}) {
      users.restore(
          user, auth::to_text(auth::Credentials{auth::make_scram_credential(ScramKind::sha256, "secret", counted)}));
    }
    authenticator.emplace(users, nullptr, registry, counted);
    Settings settings;
    settings.access = {true, &*authenticator, nullptr};
    server.emplace(settings);
  }
  static std::string block(std::string_view method, std::string_view data) {
    Buffer out;
    protocol::PropertyWriter writer(out);
    if (!method.empty()) writer.add(PropertyId::authentication_method, method);
    writer.add(PropertyId::authentication_data, data);
    return std::string(as_text(out.view()));
  }
  static void connect(TestClient& client, std::string_view method, std::string_view data) {
    const std::string properties = block(method, data);
    protocol::Connect packet;
    packet.client_id = "c";
    packet.properties = protocol::validate_properties(as_bytes(properties), protocol::PacketType::connect).value();
    client.send(protocol::Packet(packet));
  }
  static void auth(TestClient& client, ReasonCode reason, std::string_view method, std::string_view data) {
    const std::string properties = block(method, data);
    client.send(protocol::Packet(protocol::Auth{
        reason, protocol::validate_properties(as_bytes(properties), protocol::PacketType::auth).value()}));
  }
  static std::string data_of(const std::string& seen) {
    const std::size_t from = seen.find('[') + 1;
    return seen.substr(from, seen.rfind(']') - from);
  }
  /// The properties of the AUTH that came; views what `client` has received.
  static protocol::Properties first_auth(TestClient& client) {
    const auto frame = protocol::next_frame(as_bytes(client.raw()), 1'000);
    const auto packet = protocol::decode(*frame, protocol::Version::v5);
    return std::get<protocol::Auth>(*packet).properties;
  }
  /// Logs in; the client's side of it.
  void log_in(TestClient& client) {
    ScramClient scram(ScramKind::sha256, "ann", "secret");
    connect(client, "SCRAM-SHA-256", scram.first());
    const std::string first = client.seen();
    ASSERT_TRUE(first.starts_with("auth continue_authentication ["));
    auth(client, ReasonCode::continue_authentication, "SCRAM-SHA-256", scram.final(data_of(first)));
  }

  auth::Users users;
  metrics::Registry registry;
  std::optional<auth::Authenticator> authenticator;
  std::optional<TestServer> server;
};

TEST_F(EnhancedAuth, ConnackProvesTheServer) {
  TestClient client = server->client();
  ScramClient scram(ScramKind::sha256, "ann", "secret");
  connect(client, "SCRAM-SHA-256", scram.first());
  const std::string first = client.seen();
  auth(client, ReasonCode::continue_authentication, "SCRAM-SHA-256", scram.final(data_of(first)));
  const auto frame = protocol::next_frame(as_bytes(client.raw()), 1'000);
  const auto connack = protocol::decode_connack(*frame, protocol::Version::v5);
  ASSERT_TRUE(connack);
  EXPECT_EQ(connack->reason, ReasonCode::success);
  EXPECT_EQ(connack->properties.text(PropertyId::authentication_method), "SCRAM-SHA-256");
  EXPECT_TRUE(scram.accepts(connack->properties.text(PropertyId::authentication_data)));
  client.seen();
  client.publish("t", "x", 1, 1);
  EXPECT_EQ(client.seen(), "puback 1 success");
  EXPECT_EQ(server->receiver().got.back().username, "ann");
}

TEST_F(EnhancedAuth, WhatIsWrongIsRefusedBeforeConnack) {
  const auto refused = [&](auto talk) {
    TestClient client = server->client();
    talk(client);
    return client.seen() + (client.closed() ? " closed" : "");
  };
  ScramClient wrong(ScramKind::sha256, "ann", "guess");
  ScramClient nobody(ScramKind::sha256, "nobody", "secret");
  for (ScramClient* const scram : {&wrong, &nobody}) {
    EXPECT_EQ(refused([&](TestClient& client) {
                connect(client, "SCRAM-SHA-256", scram->first());
                auth(client, ReasonCode::continue_authentication, "SCRAM-SHA-256",
                     scram->final(data_of(client.seen())));
              }),
              "connack present=0 not_authorized closed");
  }
  EXPECT_EQ(refused([&](TestClient& client) { connect(client, "GS2-KRB5", "x"); }),
            "connack present=0 bad_authentication_method closed");  // [MQTT-4.12.0-1]
  EXPECT_EQ(refused([&](TestClient& client) { connect(client, "SCRAM-SHA-256", "nonsense"); }),
            "connack present=0 not_authorized closed");
}

// [MQTT-4.12.0-5]
TEST_F(EnhancedAuth, EveryAuthHasTheMethodOfConnect) {
  TestClient client = server->client();
  ScramClient scram(ScramKind::sha256, "ann", "secret");
  connect(client, "SCRAM-SHA-256", scram.first());
  EXPECT_EQ(first_auth(client).text(PropertyId::authentication_method), "SCRAM-SHA-256");
  client.seen();
  auth(client, ReasonCode::continue_authentication, "SCRAM-SHA-512", "x");
  EXPECT_EQ(client.seen(), "connack present=0 bad_authentication_method");
  EXPECT_TRUE(client.closed());
}

// [MQTT-3.1.2-30]
TEST_F(EnhancedAuth, NothingElseComesBeforeConnack) {
  TestClient client = server->client();
  ScramClient scram(ScramKind::sha256, "ann", "secret");
  connect(client, "SCRAM-SHA-256", scram.first());
  client.seen();
  client.publish("t", "x");
  EXPECT_EQ(client.seen(), "");
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(server->receiver().got.empty());
}

// [MQTT-3.15.2-1]
TEST_F(EnhancedAuth, AuthHasAReasonOfItsTable) {
  TestClient client = server->client();
  ScramClient scram(ScramKind::sha256, "ann", "secret");
  connect(client, "SCRAM-SHA-256", scram.first());
  EXPECT_EQ(client.seen().substr(0, 28), "auth continue_authentication");
}

// [MQTT-3.15.2-2]
TEST_F(EnhancedAuth, AuthHasNoReasonString) {
  TestClient client = server->client();
  ScramClient scram(ScramKind::sha256, "ann", "secret");
  connect(client, "SCRAM-SHA-256", scram.first());
  EXPECT_FALSE(first_auth(client).has(PropertyId::reason_string));
}

// [MQTT-3.15.2-3]
TEST_F(EnhancedAuth, AuthHasNoUserProperty) {
  TestClient client = server->client();
  ScramClient scram(ScramKind::sha256, "ann", "secret");
  connect(client, "SCRAM-SHA-256", scram.first());
  EXPECT_FALSE(first_auth(client).has(PropertyId::user_property));
}

TEST_F(EnhancedAuth, AgainOnAConnectionThatStays) {
  TestClient client = server->client();
  log_in(client);
  client.subscribe("t", 0);
  client.seen();
  ScramClient scram(ScramKind::sha256, "ann", "secret");
  auth(client, ReasonCode::re_authenticate, "SCRAM-SHA-256", scram.first());
  client.publish("t", "meanwhile");  // both go on as before (4.12.1)
  const std::string seen = client.seen();
  ASSERT_TRUE(seen.ends_with("; publish t q0 [meanwhile]")) << seen;
  auth(client, ReasonCode::continue_authentication, "SCRAM-SHA-256",
       scram.final(data_of(seen.substr(0, seen.find("; publish")))));
  const std::string last = client.seen();
  EXPECT_TRUE(last.starts_with("auth success ["));
  EXPECT_TRUE(scram.accepts(data_of(last)));
}

TEST_F(EnhancedAuth, AgainWithTheWrongPasswordOrAsSomebodyElse) {
  struct Case {
    const char* user;
    const char* password;
  };
  for (const Case& one : {Case{"ann", "guess"}, Case{"ben", "secret"}}) {
    TestClient client = server->client();
    log_in(client);
    client.seen();
    ScramClient scram(ScramKind::sha256, one.user, one.password);
    auth(client, ReasonCode::re_authenticate, "SCRAM-SHA-256", scram.first());
    auth(client, ReasonCode::continue_authentication, "SCRAM-SHA-256", scram.final(data_of(client.seen())));
    EXPECT_EQ(client.seen(), "disconnect not_authorized");
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(EnhancedAuth, WithoutAMethodInConnectThereIsNoAuth) {
  TestClient client = server->client();
  protocol::Connect packet;
  packet.client_id = "c";
  packet.username = "ann";
  packet.password = as_bytes(std::string_view("secret"));
  client.send(protocol::Packet(packet));
  client.seen();
  auth(client, ReasonCode::re_authenticate, "SCRAM-SHA-256", "x");
  EXPECT_EQ(client.seen(), "disconnect protocol_error");  // [MQTT-4.12.0-7]
}

}  // namespace
}  // namespace millrace::mqtt
