// DescribeClientQuotas (KIP-546): there are no quotas, so nothing is found.
#include "kafka/protocol/messages/describe_client_quotas.h"

#include "kafka/server/authorization.h"
#include "kafka/server/client_quotas.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_describe_client_quotas(Endpoint& endpoint, Request request) {
  (void)endpoint;
  const auto message = request.decode<DescribeClientQuotasRequest>();
  if (!message) return request.malformed(message.error());
  Refusal refusal;
  if (!may_cluster(request, AclOperation::describe_configs)) {
    refusal = {KafkaError::cluster_authorization_failed, "Cluster authorization failed."};
  }
  for (const auto& component : message->components) {
    if (!refusal) refusal = check_quota_entity(component.entity_type);
  }
  DescribeClientQuotasResponse response;
  response.error_code = code(refusal.error);
  response.error_message = refusal.text();
  response.entries.emplace();
  if (refusal) response.entries.reset();
  request.respond(response);
}

}  // namespace millrace::kafka
