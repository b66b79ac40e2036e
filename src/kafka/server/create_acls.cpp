// CreateAcls (KIP-140): answered when they are on disk. One that is there already is made again without a word.
#include "kafka/protocol/messages/create_acls.h"

#include "auth/acl_access.h"
#include "base/log.h"
#include "kafka/server/acl_message.h"
#include "kafka/server/authorization.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

auth::Acl acl_of(const CreateAclsRequest::AclCreation& wanted) {
  return {.verdict = static_cast<auth::AclVerdict>(wanted.permission_type),
          .principal = std::string(wanted.principal),
          .host = std::string(wanted.host),
          .operation = static_cast<AclOperation>(wanted.operation),
          .resource = static_cast<auth::AclResource>(wanted.resource_type),
          .pattern = static_cast<auth::AclPattern>(wanted.resource_pattern_type),
          .name = std::string(wanted.resource_name)};
}

void respond(Request& request, const std::vector<Refusal>& outcomes) {
  CreateAclsResponse response;
  for (const Refusal& outcome : outcomes) response.results.push_back({code(outcome.error), outcome.text()});
  request.respond(response);
}

}  // namespace

void handle_create_acls(Endpoint& endpoint, Request request) {
  const auto message = request.decode<CreateAclsRequest>();
  if (!message) return request.malformed(message.error());
  auth::Acls* const acls = endpoint.settings().acls;
  std::vector<Refusal> outcomes(message->creations.size());
  if (acls == nullptr || !may_cluster(request, AclOperation::alter)) {
    const Refusal refusal = acls == nullptr
                                ? no_authorization()
                                : Refusal{KafkaError::cluster_authorization_failed, "Cluster authorization failed."};
    std::ranges::fill(outcomes, refusal);
    return respond(request, outcomes);
  }
  auth::AclChange change;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    auth::Acl acl = acl_of(message->creations[i]);
    if (const auto good = check(acl); !good) {
      outcomes[i] = {KafkaError::invalid_request, good.error().context};
    } else {
      change.added.push_back(std::move(acl));
    }
  }
  if (change.added.empty()) return respond(request, outcomes);
  const std::string who = request.connection().access()->principal();
  for (const auth::Acl& acl : change.added) log::info("acl_created", {{"acl", to_text(acl)}, {"by", who}});
  acls->change([change = std::move(change)](const auth::AclTable&) mutable { return std::move(change); },
               endpoint.executor(),
               [request = std::move(request), outcomes = std::move(outcomes)](const Result<void>& done) mutable {
                 for (Refusal& outcome : outcomes) {
                   if (!done && !outcome) outcome = {to_kafka(done.error().code), done.error().message()};
                 }
                 respond(request, outcomes);
               });
}

}  // namespace millrace::kafka
