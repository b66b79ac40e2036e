// Heartbeat: a member is there; REBALANCE_IN_PROGRESS calls it to join again.
#include "kafka/protocol/messages/heartbeat.h"

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/owned_text.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_heartbeat(Endpoint& endpoint, Request request) {
  const auto message = request.decode<HeartbeatRequest>();
  if (!message) return request.malformed(message.error());
  if (!may_group(request, AclOperation::read, message->group_id)) {
    HeartbeatResponse response;
    response.error_code = code(KafkaError::group_authorization_failed);
    return request.respond(response);
  }
  Heartbeat event{.group = std::string(message->group_id),
                  .generation = message->generation_id,
                  .member_id = std::string(message->member_id),
                  .instance_id = owned(message->group_instance_id)};
  Reply<KafkaError> reply = [request = std::move(request)](KafkaError error) mutable {
    HeartbeatResponse response;
    response.error_code = code(error);
    request.respond(response);
  };
  endpoint.groups().ask(&GroupCoordinator::heartbeat, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
