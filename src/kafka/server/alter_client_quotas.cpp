// AlterClientQuotas (KIP-546): a quota that was kept and not enforced would be a promise that is not held, so setting
// one is refused, with the reason. Removing one is done: there are none.
#include "kafka/protocol/messages/alter_client_quotas.h"

#include <algorithm>
#include <deque>

#include "kafka/server/authorization.h"
#include "kafka/server/client_quotas.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

Refusal judge(const AlterClientQuotasRequest::EntryData& entry) {
  for (const auto& entity : entry.entity) {
    if (auto refusal = check_quota_entity(entity.entity_type)) return refusal;
  }
  const bool sets = std::ranges::any_of(entry.ops, [](const auto& op) { return !op.remove; });
  if (!sets) return {};
  return {KafkaError::invalid_request,
          "millrace has no quotas: it keeps clients waiting when its memory or the log is busy"};
}

}  // namespace

void handle_alter_client_quotas(Endpoint& endpoint, Request request) {
  (void)endpoint;
  const auto message = request.decode<AlterClientQuotasRequest>();
  if (!message) return request.malformed(message.error());
  const bool allowed = may_cluster(request, AclOperation::alter_configs);
  AlterClientQuotasResponse response;
  std::deque<Refusal> refusals;  // the answer's texts
  for (const auto& entry : message->entries) {
    const Refusal& refusal = refusals.emplace_back(
        allowed ? judge(entry) : Refusal{KafkaError::cluster_authorization_failed, "Cluster authorization failed."});
    auto& out = response.entries.emplace_back();
    out.error_code = code(refusal.error);
    out.error_message = refusal.text();
    for (const auto& entity : entry.entity) out.entity.push_back({entity.entity_type, entity.entity_name});
  }
  request.respond(response);
}

}  // namespace millrace::kafka
