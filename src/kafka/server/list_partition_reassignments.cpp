// ListPartitionReassignments (KIP-455): with one node there never is one.
#include "kafka/protocol/messages/list_partition_reassignments.h"

#include "kafka/server/authorization.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_list_partition_reassignments(Endpoint& endpoint, Request request) {
  (void)endpoint;
  const auto message = request.decode<ListPartitionReassignmentsRequest>();
  if (!message) return request.malformed(message.error());
  ListPartitionReassignmentsResponse response;
  if (!may_cluster(request, AclOperation::describe)) {
    response.error_code = code(KafkaError::cluster_authorization_failed);
  }
  request.respond(response);
}

}  // namespace millrace::kafka
