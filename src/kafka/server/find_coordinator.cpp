// FindCoordinator. There is no group or transaction coordinator yet; the key is advertised because librdkafka
// before 2.11 takes its presence as the sign that LZ4 is allowed. "Not available" keeps consumers with assigned
// partitions quiet and working: librdkafka asks for a coordinator as soon as a group id is set, and reports any final
// answer to the application as an error.
#include "kafka/protocol/messages/find_coordinator.h"

#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_find_coordinator([[maybe_unused]] Endpoint& endpoint, Request request) {
  if (const auto message = request.decode<FindCoordinatorRequest>(); !message)
    return request.malformed(message.error());
  FindCoordinatorResponse response;
  response.error_code = code(KafkaError::coordinator_not_available);
  response.node_id = -1;
  response.port = -1;
  request.respond(response);
}

}  // namespace millrace::kafka
