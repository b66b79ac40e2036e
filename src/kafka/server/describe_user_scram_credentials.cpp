// DescribeUserScramCredentials (KIP-554): which users can log in with SCRAM, never what they keep.
#include "kafka/protocol/messages/describe_user_scram_credentials.h"

#include <deque>
#include <map>
#include <set>
#include <string>

#include "kafka/server/authorization.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

using Answer = DescribeUserScramCredentialsResponse;

std::vector<Answer::CredentialInfo> kinds_of(const auth::Credentials* credentials) {
  std::vector<Answer::CredentialInfo> kinds;
  if (credentials == nullptr) return kinds;
  for (const auth::Credential& credential : *credentials) {
    const auto* scram = std::get_if<auth::ScramCredential>(&credential);
    if (scram == nullptr) continue;
    kinds.push_back({static_cast<std::int8_t>(scram->kind), static_cast<std::int32_t>(scram->iterations)});
  }
  return kinds;
}

void describe_all(const auth::UserTable& table, Answer& response) {
  for (const auth::UserMap* users : {&table.fixed(), &table.stored()}) {
    for (const auto& [name, credentials] : *users) {
      if (table.find(name) != &credentials) continue;  // the password file's user of this name counts
      auto kinds = kinds_of(&credentials);
      if (!kinds.empty()) response.results.push_back({name, 0, std::nullopt, std::move(kinds)});
    }
  }
}

}  // namespace

void handle_describe_user_scram_credentials(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DescribeUserScramCredentialsRequest>();
  if (!message) return request.malformed(message.error());
  Answer response;
  response.error_message = std::nullopt;
  auth::Authenticator* authenticator = endpoint.settings().authenticator;
  if (authenticator == nullptr || !may_users(request, AclOperation::describe)) {
    response.error_code = code(KafkaError::cluster_authorization_failed);
    response.error_message = "only users named in super.users, or with an ACL for it, may see users";
    return request.respond(response);
  }
  const auto table = authenticator->users().table();
  if (!message->users || message->users->empty()) {
    describe_all(*table, response);
    return request.respond(response);
  }
  std::deque<std::string> texts;  // of the answer
  const auto text = [&texts](std::string_view what, std::string_view name) -> std::string_view {
    return texts.emplace_back(what).append(name);
  };
  std::map<std::string_view, int> asked;
  for (const auto& user : *message->users) ++asked[user.name];
  for (const auto& [name, times] : asked) {
    auto kinds = kinds_of(table->find(name));
    if (times > 1) {
      response.results.push_back(
          {name,
           code(KafkaError::duplicate_resource),
           text("Cannot describe SCRAM credentials for the same user twice in a single request: ", name),
           {}});
    } else if (kinds.empty()) {
      response.results.push_back({name,
                                  code(KafkaError::resource_not_found),
                                  text("Attempt to describe a user credential that does not exist: ", name),
                                  {}});
    } else {
      response.results.push_back({name, 0, std::nullopt, std::move(kinds)});
    }
  }
  request.respond(response);
}

}  // namespace millrace::kafka
