// DescribeAcls (KIP-140; KIP-290 for prefixed names): those of the permissions file and those of the log.
#include "kafka/protocol/messages/describe_acls.h"

#include <algorithm>
#include <tuple>

#include "auth/acls.h"
#include "kafka/server/acl_message.h"
#include "kafka/server/authorization.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_describe_acls(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DescribeAclsRequest>();
  if (!message) return request.malformed(message.error());
  const auth::Acls* const acls = endpoint.settings().acls;
  const auto filter = acl_filter(*message);
  Refusal refusal;
  if (acls == nullptr) {
    refusal = no_authorization();
  } else if (!may_cluster(request, AclOperation::describe)) {
    refusal = {KafkaError::cluster_authorization_failed, "Cluster authorization failed."};
  } else if (!filter) {
    refusal = {KafkaError::invalid_request,
               "The filter has an unknown resource, pattern, operation or permission type."};
  }
  DescribeAclsResponse response;
  response.error_code = code(refusal.error);
  response.error_message = refusal.text();
  if (refusal) return request.respond(response);
  const auto table = acls->table();
  std::vector<const auth::Acl*> found;
  const auto look = [&](const auth::Acl& acl) {
    if (filter->matches(acl)) found.push_back(&acl);
  };
  std::ranges::for_each(table->fixed(), look);
  std::ranges::for_each(table->stored(), look);
  const auto resource_of = [](const auth::Acl* acl) { return std::tie(acl->resource, acl->name, acl->pattern); };
  std::ranges::sort(found, {}, [](const auth::Acl* acl) {
    return std::tie(acl->resource, acl->name, acl->pattern, acl->principal, acl->host, acl->operation, acl->verdict);
  });
  const auth::Acl* before = nullptr;
  for (const auth::Acl* acl : found) {
    if (before == nullptr || resource_of(before) != resource_of(acl)) {
      auto& resource = response.resources.emplace_back();
      resource.resource_type = static_cast<std::int8_t>(acl->resource);
      resource.resource_name = acl->name;
      resource.pattern_type = static_cast<std::int8_t>(acl->pattern);
    }
    before = acl;
    response.resources.back().acls.push_back(
        {acl->principal, acl->host, static_cast<std::int8_t>(acl->operation), static_cast<std::int8_t>(acl->verdict)});
  }
  request.respond(response);
}

}  // namespace millrace::kafka
