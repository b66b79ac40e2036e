// How a Client connects and logs in (KIP-43, KIP-84, KIP-152).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "auth/scram_client.h"
#include "base/rng.h"
#include "kafka/client/client.h"
#include "kafka/protocol/messages/sasl_authenticate.h"
#include "kafka/protocol/messages/sasl_handshake.h"
#include "kafka/server/error_codes.h"

namespace millrace::kafka {
namespace {

constexpr auto kUnsupportedMechanism = static_cast<std::int16_t>(KafkaError::unsupported_sasl_mechanism);
constexpr auto kIllegalState = static_cast<std::int16_t>(KafkaError::illegal_sasl_state);

struct Mechanism {
  std::string_view name;
  std::optional<auth::ScramKind> scram;
};
/// The best first.
constexpr Mechanism kMechanisms[] = {
    {"SCRAM-SHA-512", auth::ScramKind::sha512}, {"SCRAM-SHA-256", auth::ScramKind::sha256}, {"PLAIN", std::nullopt}};

/// The best of what a server offers; null: none of it.
const Mechanism* best_of(const std::vector<std::string>& offered) {
  const auto found = std::ranges::find_if(
      kMechanisms, [&](const Mechanism& one) { return std::ranges::count(offered, one.name) != 0; });
  return found == std::end(kMechanisms) ? nullptr : found;
}

std::string made_up_nonce() {
  return fmt::format("{:016x}{:016x}", system_entropy(), system_entropy());
}

}  // namespace

/// What a server says of a mechanism.
struct Client::Offer {
  enum class Answer : std::uint8_t { taken, others, none_needed } answer;
  std::vector<std::string> mechanisms{};  // that it has
};

Result<Client> Client::connect(const Target& target) {
  MR_TRY_ASSIGN(auto connection, net::BlockingConnection::open(target.host, target.port, target.timeout));
  if (target.tls) MR_TRY(connection.start_tls(target.tls));
  return Client(std::move(connection));
}

Result<Client> Client::open(const Target& target) {
  MR_TRY_ASSIGN(Client client, connect(target));
  if (!target.log_in) return client;
  const Mechanism& first = kMechanisms[0];
  MR_TRY_ASSIGN(const Offer offer, client.choose(first.name));
  if (offer.answer == Offer::Answer::taken) {
    MR_TRY(client.log_in(first.name, *target.log_in));
    return client;
  }
  // A server ends the connection on which it has refused to talk about a log-in.
  MR_TRY_ASSIGN(Client again, connect(target));
  if (offer.answer == Offer::Answer::none_needed) return again;
  const Mechanism* const other = best_of(offer.mechanisms);
  if (other == nullptr) {
    return fail(ErrorCode::permission_denied, "no log-in that both know; the server has",
                fmt::format("{}", fmt::join(offer.mechanisms, ", ")));
  }
  if (!other->scram && !target.tls) {
    return fail(ErrorCode::permission_denied,
                "the server has PLAIN alone, which shows the password: use a listener over TLS");
  }
  MR_TRY(again.choose(other->name));
  MR_TRY(again.log_in(other->name, *target.log_in));
  return again;
}

Result<Client::Offer> Client::choose(std::string_view mechanism) {
  MR_TRY_ASSIGN(const auto answer,
                ask<SaslHandshakeResponse>(ApiKey::sasl_handshake, 1, SaslHandshakeRequest{mechanism}));
  switch (answer.message.error_code) {
    case 0:
      return Offer{Offer::Answer::taken};
    case kUnsupportedMechanism: {
      const auto& names = answer.message.mechanisms;
      return Offer{Offer::Answer::others, {names.begin(), names.end()}};
    }
    case kIllegalState:
      return Offer{Offer::Answer::none_needed};
    default:
      return fail(ErrorCode::permission_denied, "the server refuses to talk about a log-in",
                  fmt::format("Kafka error {}", answer.message.error_code));
  }
}

Result<void> Client::log_in(std::string_view mechanism, const Target::LogIn& as) {
  const auto kind = std::ranges::find(kMechanisms, mechanism, &Mechanism::name)->scram;
  if (!kind) {
    MR_TRY(authenticate('\0' + as.user + '\0' + as.password));
    return {};
  }
  auth::ScramClient scram(*kind, as.user, as.password, made_up_nonce());
  MR_TRY_ASSIGN(const std::string first, authenticate(scram.first()));
  MR_TRY_ASSIGN(const std::string proof, scram.final(first));
  MR_TRY_ASSIGN(const std::string proven, authenticate(proof));
  if (!scram.accepts(proven)) {
    return fail(ErrorCode::permission_denied, "the server cannot prove that it knows this user: not the one you think");
  }
  return {};
}

Result<std::string> Client::authenticate(std::string_view token) {
  MR_TRY_ASSIGN(const auto answer,
                ask<SaslAuthenticateResponse>(ApiKey::sasl_authenticate, 2, SaslAuthenticateRequest{as_bytes(token)}));
  if (answer.message.error_code == 0) return std::string(as_text(answer.message.auth_bytes));
  return fail(ErrorCode::permission_denied, "the log-in failed",
              std::string(answer.message.error_message.value_or("wrong user name or password")));
}

}  // namespace millrace::kafka
