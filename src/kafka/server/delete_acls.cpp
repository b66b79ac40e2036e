// DeleteAcls (KIP-140): every ACL that a filter matches. Those of the permissions file are found and not deleted.
#include "kafka/protocol/messages/delete_acls.h"

#include <algorithm>

#include "auth/acl_access.h"
#include "base/log.h"
#include "kafka/server/acl_message.h"
#include "kafka/server/authorization.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

struct Found {
  auth::Acl acl;
  bool fixed = false;
};

struct Deletion {
  explicit Deletion(Request asked) : request(std::move(asked)) {}
  struct PerFilter {
    std::optional<auth::AclFilter> filter;
    Refusal refusal;
    std::vector<Found> found;
  };
  Request request;
  std::string who{};
  std::vector<PerFilter> filters{};
};

void respond(Deletion& deletion) {
  DeleteAclsResponse response;
  for (const auto& one : deletion.filters) {
    auto& result = response.filter_results.emplace_back();
    result.error_code = code(one.refusal.error);
    result.error_message = one.refusal.text();
    if (one.refusal) continue;
    for (const Found& found : one.found) {
      auto& out = result.matching_acls.emplace_back();
      out.error_message.reset();
      if (found.fixed) {
        out.error_code = code(KafkaError::invalid_request);
        out.error_message = "the ACL is in the permissions file: change it there";
      }
      out.resource_type = static_cast<std::int8_t>(found.acl.resource);
      out.resource_name = found.acl.name;
      out.pattern_type = static_cast<std::int8_t>(found.acl.pattern);
      out.principal = found.acl.principal;
      out.host = found.acl.host;
      out.operation = static_cast<std::int8_t>(found.acl.operation);
      out.permission_type = static_cast<std::int8_t>(found.acl.verdict);
    }
  }
  deletion.request.respond(response);
}

// Runs where changes are made, so that what is told is what was deleted.
auth::AclChange gather(Deletion& deletion, const auth::AclTable& table) {
  auth::AclChange change;
  for (auto& one : deletion.filters) {
    if (one.refusal) continue;
    for (const auth::Acl& acl : table.fixed()) {
      if (one.filter->matches(acl)) one.found.push_back({acl, true});
    }
    for (const auth::Acl& acl : table.stored()) {
      if (!one.filter->matches(acl)) continue;
      one.found.push_back({acl, false});
      if (std::ranges::find(change.removed, acl) == change.removed.end()) change.removed.push_back(acl);
    }
  }
  for (const auth::Acl& acl : change.removed) log::info("acl_deleted", {{"acl", to_text(acl)}, {"by", deletion.who}});
  return change;
}

}  // namespace

void handle_delete_acls(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DeleteAclsRequest>();
  if (!message) return request.malformed(message.error());
  auth::Acls* const acls = endpoint.settings().acls;
  Refusal all;
  if (acls == nullptr) {
    all = no_authorization();
  } else if (!may_cluster(request, AclOperation::alter)) {
    all = {KafkaError::cluster_authorization_failed, "Cluster authorization failed."};
  }
  auto deletion = std::make_shared<Deletion>(std::move(request));
  for (const auto& wanted : message->filters) {
    auto& one = deletion->filters.emplace_back();
    one.filter = acl_filter(wanted);
    one.refusal = all;
    if (!all && !one.filter) {
      one.refusal = {KafkaError::invalid_request,
                     "The filter has an unknown resource, pattern, operation or permission type."};
    }
  }
  if (all) return respond(*deletion);
  deletion->who = deletion->request.connection().access()->principal();
  acls->change([deletion](const auth::AclTable& table) { return gather(*deletion, table); }, endpoint.executor(),
               [deletion](const Result<void>& done) {
                 for (auto& one : deletion->filters) {
                   if (!done && !one.refusal) one.refusal = {to_kafka(done.error().code), done.error().message()};
                 }
                 respond(*deletion);
               });
}

}  // namespace millrace::kafka
