// DescribeCluster (KIP-700): one broker, which is its own controller.
#include "kafka/protocol/messages/describe_cluster.h"

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_describe_cluster(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DescribeClusterRequest>();
  if (!message) return request.malformed(message.error());
  const ServerSettings& settings = endpoint.settings();
  DescribeClusterResponse response;
  if (message->endpoint_type != 1) {
    response.error_code = code(KafkaError::invalid_request);
    response.error_message = "only brokers (endpoint type 1) can be described";
    return request.respond(response);
  }
  response.cluster_id = endpoint.cluster_id();
  response.controller_id = settings.node_id;
  const ListenerSettings& listener = request.connection().listener();
  response.brokers.push_back({settings.node_id, listener.advertised_host, listener.advertised_port, std::nullopt});
  if (message->include_cluster_authorized_operations) {
    response.cluster_authorized_operations =
        allowed_operations(request, auth::AclResource::cluster, auth::kClusterName);
  }
  request.respond(response);
}

}  // namespace millrace::kafka
