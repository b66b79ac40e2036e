// Logging in: the three mechanisms in both framings, what comes before it, renewal, and users changed by requests.
#include "kafka/server/log_in.h"

#include "auth/testing/scram_client.h"
#include "kafka/protocol/messages/alter_user_scram_credentials.h"
#include "kafka/protocol/messages/api_versions.h"
#include "kafka/protocol/messages/describe_user_scram_credentials.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/protocol/messages/sasl_authenticate.h"
#include "kafka/protocol/messages/sasl_handshake.h"
#include "kafka/server/error_codes.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

std::uint64_t counted() {
  static std::uint64_t next = 0;
  return ++next * 0x9E3779B97F4A7C15ULL;
}

class LogInTest : public ServerFixture {
 protected:
  LogInTest() {
    settings.sasl = {SaslMechanism::plain, SaslMechanism::scram_sha_256, SaslMechanism::scram_sha_512};
    settings.authenticator = &authenticator;
    settings.super_users = {"admin"};
    for (const char* name : {"alice", "admin"}) {
      users.restore(name, auth::to_text(auth::Credentials{
                              auth::make_scram_credential(auth::ScramKind::sha256, "secret", counted),
                              auth::make_scram_credential(auth::ScramKind::sha512, "secret", counted)}));
    }
  }

  std::int16_t handshake(WireClient& client, std::string_view mechanism, std::int16_t version = 1) {
    const auto sent = client.send(ApiKey::sasl_handshake, version, SaslHandshakeRequest{mechanism});
    executor.run();
    return client.take<SaslHandshakeResponse>(ApiKey::sasl_handshake, version, sent).error_code;
  }
  SaslAuthenticateResponse authenticate(WireClient& client, std::string_view token, std::int16_t version = 2) {
    const auto sent = client.send(ApiKey::sasl_authenticate, version, SaslAuthenticateRequest{as_bytes(token)});
    executor.run();
    executor.advance(std::chrono::milliseconds(100));  // a refusal takes its time
    executor.run();
    return client.take<SaslAuthenticateResponse>(ApiKey::sasl_authenticate, version, sent);
  }
  static std::string plain(const std::string& name, const std::string& password) {
    return std::string(1, '\0') + name + std::string(1, '\0') + password;
  }
  WireClient& logged_in(const std::string& name) {
    WireClient& client = connect();
    handshake(client, "PLAIN");
    EXPECT_EQ(authenticate(client, plain(name, "secret")).error_code, 0);
    return client;
  }
  bool serves(WireClient& client) {
    const auto sent = client.send(ApiKey::metadata, 9, MetadataRequest{});
    executor.run();
    return client.peek() == sent && !client.take<MetadataResponse>(ApiKey::metadata, 9, sent).brokers.empty();
  }

  auth::Users users;
  metrics::Registry auth_registry;
  auth::Authenticator authenticator{users, nullptr, auth_registry, counted};
};

TEST_F(LogInTest, NothingButApiVersionsComesBeforeIt) {
  WireClient& client = connect();
  const auto versions = client.send(ApiKey::api_versions, 3, ApiVersionsRequest{"c", "1"});
  executor.run();
  client.take<ApiVersionsResponse>(ApiKey::api_versions, 3, versions);
  EXPECT_FALSE(serves(client));
  EXPECT_TRUE(client.wire.closed);
  EXPECT_EQ(closed(CloseReason::unauthenticated), 1U);

  WireClient& large = connect();
  large.feed(std::string("\x00\x02\x00\x00", 4));  // 128 KiB
  executor.run();
  EXPECT_TRUE(large.wire.closed);

  WireClient& silent = connect();
  executor.advance(std::chrono::seconds(31));
  executor.run();
  EXPECT_TRUE(silent.wire.closed);
}

TEST_F(LogInTest, PlainAndItsRefusals) {
  EXPECT_TRUE(serves(logged_in("alice")));
  const std::string nul(1, '\0');
  for (const std::string& token :
       {plain("alice", "wrong"), plain("nobody", "secret"), plain("", "secret"), "admin" + plain("alice", "secret"),
        std::string("alice"), std::string(), plain("alice", "secret") + nul}) {
    WireClient& client = connect();
    ASSERT_EQ(handshake(client, "PLAIN"), 0);
    EXPECT_EQ(authenticate(client, token).error_code, code(KafkaError::sasl_authentication_failed));
    EXPECT_TRUE(client.wire.closed);
  }
  WireClient& self = connect();
  handshake(self, "PLAIN");
  EXPECT_EQ(authenticate(self, "alice" + plain("alice", "secret"), 0).error_code, 0);
}

TEST_F(LogInTest, ScramOfBothKinds) {
  for (const auto& [kind, name] :
       {std::pair{auth::ScramKind::sha256, "SCRAM-SHA-256"}, std::pair{auth::ScramKind::sha512, "SCRAM-SHA-512"}}) {
    WireClient& client = connect();
    ASSERT_EQ(handshake(client, name), 0);
    auth::testing::ScramClient scram(kind, "alice", "secret");
    const auto first = authenticate(client, scram.first());
    ASSERT_EQ(first.error_code, 0);
    EXPECT_FALSE(serves(connect()));
    const auto final = authenticate(client, scram.final(as_text(first.auth_bytes)));
    ASSERT_EQ(final.error_code, 0);
    EXPECT_TRUE(scram.accepts(as_text(final.auth_bytes)));
    EXPECT_TRUE(serves(client));

    WireClient& other = connect();
    handshake(other, name);
    auth::testing::ScramClient wrong(kind, "alice", "guess");
    const auto challenge = authenticate(other, wrong.first());
    EXPECT_EQ(authenticate(other, wrong.final(as_text(challenge.auth_bytes))).error_code,
              code(KafkaError::sasl_authentication_failed));
    EXPECT_TRUE(other.wire.closed);
  }
}

// SaslHandshake version 0: frames of a size and a token, no headers.
TEST_F(LogInTest, BareTokensAtEverySplit) {
  const auto framed = [](const std::string& token) {
    std::string bytes(4, '\0');
    store_be(reinterpret_cast<std::uint8_t*>(bytes.data()), static_cast<std::int32_t>(token.size()));
    return bytes + token;
  };
  const std::string bytes = framed(plain("alice", "secret"));
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    WireClient& client = connect();
    ASSERT_EQ(handshake(client, "PLAIN", 0), 0);
    const std::size_t before = client.wire.sent.size();
    client.feed(std::string_view(bytes).substr(0, cut));
    client.feed(std::string_view(bytes).substr(cut));
    executor.run();
    client.stream().flush();
    EXPECT_EQ(client.wire.sent.substr(before), std::string(4, '\0')) << cut;
    EXPECT_FALSE(client.wire.closed);
  }
  WireClient& wrong = connect();
  handshake(wrong, "PLAIN", 0);
  wrong.feed(framed(plain("alice", "guess")));
  executor.run();
  executor.advance(std::chrono::milliseconds(100));
  executor.run();
  EXPECT_TRUE(wrong.wire.closed);
}

TEST_F(LogInTest, MechanismsThatAreNotOfferedAndStatesThatDoNotFit) {
  WireClient& client = connect();
  EXPECT_EQ(handshake(client, "GSSAPI"), code(KafkaError::unsupported_sasl_mechanism));
  EXPECT_EQ(authenticate(client, "x").error_code, code(KafkaError::illegal_sasl_state));
  EXPECT_TRUE(client.wire.closed);
}

TEST_F(LogInTest, ALogInThatExpiresMustBeRenewedByTheSameUser) {
  settings.max_reauth = std::chrono::minutes(1);
  WireClient& client = connect();
  handshake(client, "PLAIN");
  EXPECT_EQ(authenticate(client, plain("alice", "secret")).session_lifetime_ms, 60'000);
  executor.advance(std::chrono::seconds(50));
  ASSERT_EQ(handshake(client, "PLAIN"), 0);
  EXPECT_EQ(authenticate(client, plain("alice", "secret")).error_code, 0);
  executor.advance(std::chrono::seconds(50));
  EXPECT_TRUE(serves(client));
  executor.advance(std::chrono::seconds(20));
  EXPECT_FALSE(serves(client));
  EXPECT_TRUE(client.wire.closed);

  WireClient& other = logged_in("alice");
  handshake(other, "PLAIN");
  EXPECT_NE(authenticate(other, plain("admin", "secret")).error_code, 0);
  EXPECT_TRUE(other.wire.closed);
}

TEST_F(LogInTest, UsersAreChangedByThoseWhoMay) {
  using Upsertion = AlterUserScramCredentialsRequest::ScramCredentialUpsertion;
  const std::vector<std::uint8_t> salt(4, 7);  // short ones are the client's choice
  std::vector<std::uint8_t> salted(32);
  pbkdf2(DigestKind::sha256, as_bytes("new"), salt, 4096, salted);
  const auto alter = [&](WireClient& client, AlterUserScramCredentialsRequest request) {
    const auto sent = client.send(ApiKey::alter_user_scram_credentials, 0, request);
    executor.run();
    std::map<std::string, std::int16_t> codes;
    const auto answer = client.take<AlterUserScramCredentialsResponse>(ApiKey::alter_user_scram_credentials, 0, sent);
    for (const auto& result : answer.results) codes[std::string(result.user)] = result.error_code;
    return codes;
  };
  AlterUserScramCredentialsRequest request;
  request.upsertions = {Upsertion{"bob", 1, 4096, salt, salted},    Upsertion{"few", 1, 4095, salt, salted},
                        Upsertion{"many", 1, 16'385, salt, salted}, Upsertion{"odd", 3, 4096, salt, salted},
                        Upsertion{"twice", 1, 4096, salt, salted},  Upsertion{"twice", 1, 4096, salt, salted}};
  request.deletions = {{"alice", 2}, {"nobody", 1}};
  EXPECT_EQ(alter(logged_in("alice"), request).at("bob"), code(KafkaError::cluster_authorization_failed));
  WireClient& admin = logged_in("admin");
  const std::map<std::string, std::int16_t> expected = {{"alice", 0},
                                                        {"bob", 0},
                                                        {"few", code(KafkaError::unacceptable_credential)},
                                                        {"many", code(KafkaError::unacceptable_credential)},
                                                        {"nobody", code(KafkaError::resource_not_found)},
                                                        {"odd", code(KafkaError::unsupported_sasl_mechanism)},
                                                        {"twice", code(KafkaError::duplicate_resource)}};
  EXPECT_EQ(alter(admin, request), expected);

  const auto sent = admin.send(ApiKey::describe_user_scram_credentials, 0,
                               DescribeUserScramCredentialsRequest{{{{"alice"}, {"bob"}, {"carol"}}}});
  executor.run();
  const auto answer =
      admin.take<DescribeUserScramCredentialsResponse>(ApiKey::describe_user_scram_credentials, 0, sent);
  ASSERT_EQ(answer.results.size(), 3U);
  EXPECT_EQ(answer.results[0].credential_infos.size(), 1U);
  EXPECT_EQ(answer.results[1].credential_infos.at(0).iterations, 4096);
  EXPECT_EQ(answer.results[2].error_code, code(KafkaError::resource_not_found));

  WireClient& bob = connect();
  handshake(bob, "PLAIN");
  EXPECT_EQ(authenticate(bob, plain("bob", "new")).error_code, 0);
}

TEST_F(LogInTest, WhatIsKeptOfSecretsIsReadBySuperUsersOnly) {
  ASSERT_TRUE(log.create({.name = "__users", .partitions = 1, .config = {}}));
  const auto read = [&](WireClient& client) {
    FetchRequest request = fetch_request(0);
    request.topics.front().topic = "__users";
    const auto sent = client.send(ApiKey::fetch, 11, request);
    executor.run();
    return client.take<FetchResponse>(ApiKey::fetch, 11, sent).responses.at(0).partitions.at(0).error_code;
  };
  EXPECT_EQ(read(logged_in("alice")), code(KafkaError::topic_authorization_failed));
  EXPECT_EQ(read(logged_in("admin")), 0);
}

TEST_F(LogInTest, AListenerWithoutLogInSaysSo) {
  settings.sasl.clear();
  WireClient& client = connect();
  EXPECT_EQ(handshake(client, "PLAIN"), code(KafkaError::illegal_sasl_state));
  EXPECT_TRUE(serves(client));
}

}  // namespace
}  // namespace millrace::kafka::testing
