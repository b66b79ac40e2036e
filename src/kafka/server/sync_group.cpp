// SyncGroup: the leader brings the assignment, everybody gets their part of it once it is stored.
#include "kafka/protocol/messages/sync_group.h"

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/owned_text.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_sync_group(Endpoint& endpoint, Request request) {
  const auto message = request.decode<SyncGroupRequest>();
  if (!message) return request.malformed(message.error());
  if (!may_group(request, AclOperation::read, message->group_id)) {
    SyncGroupResponse response;
    response.error_code = code(KafkaError::group_authorization_failed);
    return request.respond(response);
  }
  SyncGroup event{.group = std::string(message->group_id),
                  .generation = message->generation_id,
                  .member_id = std::string(message->member_id),
                  .instance_id = owned(message->group_instance_id),
                  .protocol_type = owned(message->protocol_type),
                  .protocol = owned(message->protocol_name),
                  .assignments = {}};
  for (const auto& one : message->assignments) {
    event.assignments.push_back({std::string(one.member_id), owned(one.assignment)});
  }
  Reply<SyncGroupResult> reply = [request = std::move(request)](SyncGroupResult result) mutable {
    SyncGroupResponse response;
    response.error_code = code(result.error);
    response.protocol_type = result.protocol_type;
    response.protocol_name = result.protocol;
    response.assignment = as_bytes(result.assignment);
    request.respond(response);
  };
  endpoint.groups().ask(&GroupCoordinator::sync, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
