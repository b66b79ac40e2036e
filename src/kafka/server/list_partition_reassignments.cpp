// ListPartitionReassignments (KIP-455): with one node there never is one.
#include "kafka/protocol/messages/list_partition_reassignments.h"

#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_list_partition_reassignments(Endpoint& endpoint, Request request) {
  (void)endpoint;
  const auto message = request.decode<ListPartitionReassignmentsRequest>();
  if (!message) return request.malformed(message.error());
  request.respond(ListPartitionReassignmentsResponse{});
}

}  // namespace millrace::kafka
