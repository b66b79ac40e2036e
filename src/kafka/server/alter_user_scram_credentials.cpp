// AlterUserScramCredentials (KIP-554): the client sends salted passwords; what is kept is made from them here. Every
// user's changes are one step: all of them, or none.
#include "kafka/protocol/messages/alter_user_scram_credentials.h"

#include <map>

#include "kafka/server/authorization.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

using Message = AlterUserScramCredentialsRequest;

constexpr std::size_t kLongestSalt = 64;

struct Changes {
  std::vector<auth::ScramKind> removed;
  std::vector<auth::ScramCredential> set;
  KafkaError error = KafkaError::none;
  const char* why = "";

  void refuse(KafkaError with, const char* because) {
    if (error != KafkaError::none) return;
    error = with;
    why = because;
  }
};

/// Answers when the last user's change came back.
struct Pending {
  explicit Pending(Request asked) : request(std::move(asked)) {}
  void settle(const std::string& user, KafkaError error, std::string why) {
    outcomes.push_back({user, error, std::move(why)});
    if (--left != 0) return;
    AlterUserScramCredentialsResponse response;
    for (const auto& outcome : outcomes) {
      auto& entry = response.results.emplace_back();
      entry.user = outcome.user;
      entry.error_code = code(outcome.error);
      entry.error_message =
          outcome.error == KafkaError::none ? std::nullopt : std::optional<std::string_view>(outcome.why);
    }
    request.respond(response);
  }
  struct Outcome {
    std::string user;
    KafkaError error;
    std::string why;
  };
  Request request;
  std::size_t left = 0;
  std::vector<Outcome> outcomes;
};

std::optional<auth::ScramKind> kind_of(std::int8_t mechanism) {
  if (mechanism == 1) return auth::ScramKind::sha256;
  if (mechanism == 2) return auth::ScramKind::sha512;
  return std::nullopt;
}

bool named_before(const Changes& changes, auth::ScramKind kind) {
  return std::ranges::find(changes.removed, kind) != changes.removed.end() ||
         std::ranges::find(changes.set, kind, &auth::ScramCredential::kind) != changes.set.end();
}

void add(const Message::ScramCredentialUpsertion& upsertion, Changes& changes) {
  const auto kind = kind_of(upsertion.mechanism);
  if (!kind) return changes.refuse(KafkaError::unsupported_sasl_mechanism, "an unknown SCRAM mechanism");
  if (named_before(changes, *kind)) {
    return changes.refuse(KafkaError::duplicate_resource, "the same credential is named twice");
  }
  const auto iterations = static_cast<std::uint32_t>(std::max(upsertion.iterations, 0));
  if (iterations < auth::kMinIterations) {
    return changes.refuse(KafkaError::unacceptable_credential, "Too few iterations: at least 4096");
  }
  if (iterations > auth::kMaxIterations) {
    return changes.refuse(KafkaError::unacceptable_credential, "Too many iterations: at most 16384");
  }
  if (upsertion.salt.empty() || upsertion.salt.size() > kLongestSalt ||
      upsertion.salted_password.size() != digest_size(auth::digest_of(*kind))) {
    return changes.refuse(KafkaError::unacceptable_credential, "the salt or the salted password has a wrong size");
  }
  changes.set.push_back(auth::make_scram_salted(*kind, upsertion.salted_password, upsertion.salt, iterations));
}

std::map<std::string, Changes> changes_of(const Message& message) {
  std::map<std::string, Changes> all;
  for (const auto& deletion : message.deletions) {
    Changes& changes = all[std::string(deletion.name)];
    const auto kind = kind_of(deletion.mechanism);
    if (!kind) {
      changes.refuse(KafkaError::unsupported_sasl_mechanism, "an unknown SCRAM mechanism");
    } else if (named_before(changes, *kind)) {
      changes.refuse(KafkaError::duplicate_resource, "the same credential is named twice");
    } else {
      changes.removed.push_back(*kind);
    }
  }
  for (const auto& upsertion : message.upsertions) add(upsertion, all[std::string(upsertion.name)]);
  return all;
}

/// The user's credentials with the changes made; not_found when one that is to go is not there.
Result<auth::Credentials> apply(const Changes& changes, auth::Credentials credentials) {
  const auto drop = [&](auth::ScramKind kind) {
    return std::erase_if(credentials, [kind](const auth::Credential& credential) {
      const auto* scram = std::get_if<auth::ScramCredential>(&credential);
      return scram != nullptr && scram->kind == kind;
    });
  };
  for (const auth::ScramKind kind : changes.removed) {
    if (drop(kind) == 0) return fail(ErrorCode::not_found, "there is no such credential");
  }
  for (const auth::ScramCredential& credential : changes.set) {
    drop(credential.kind);
    credentials.emplace_back(credential);
  }
  return credentials;
}

KafkaError to_user_error(ErrorCode error) {
  if (error == ErrorCode::not_found) return KafkaError::resource_not_found;
  if (error == ErrorCode::invalid_argument || error == ErrorCode::permission_denied) {
    return KafkaError::unacceptable_credential;
  }
  return to_kafka(error);
}

}  // namespace

void handle_alter_user_scram_credentials(Endpoint& endpoint, Request request) {
  const auto message = request.decode<Message>();
  if (!message) return request.malformed(message.error());
  auth::Authenticator* authenticator = endpoint.settings().authenticator;
  const bool allowed = authenticator != nullptr && may_users(request, AclOperation::alter);
  auto all = changes_of(*message);
  const auto pending = std::make_shared<Pending>(std::move(request));
  pending->left = all.size();
  if (all.empty()) return pending->request.respond(AlterUserScramCredentialsResponse{});
  for (auto& [user, changes] : all) {
    if (!allowed) {
      changes = Changes();
      changes.refuse(KafkaError::cluster_authorization_failed, "super.users does not name you");
    }
    if (changes.error != KafkaError::none) {
      pending->settle(user, changes.error, changes.why);
      continue;
    }
    authenticator->users().change(
        user, [mine = std::move(changes)](const auth::Credentials& credentials) { return apply(mine, credentials); },
        endpoint.executor(),
        [pending, user](const Result<void>& result) {
          if (result) return pending->settle(user, KafkaError::none, {});
          pending->settle(user, to_user_error(result.error().code), result.error().message());
        });
  }
}

}  // namespace millrace::kafka
