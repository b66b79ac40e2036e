// LeaveGroup: one member up to version 2, several from version 3 on (KIP-345).
#include "kafka/protocol/messages/leave_group.h"

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/owned_text.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kFirstWithSeveral = 3;

}  // namespace

void handle_leave_group(Endpoint& endpoint, Request request) {
  auto message = request.decode<LeaveGroupRequest>();
  if (!message) return request.malformed(message.error());
  if (!may_group(request, AclOperation::read, message->group_id)) {
    LeaveGroupResponse response;
    response.error_code = code(KafkaError::group_authorization_failed);
    return request.respond(response);
  }
  LeaveGroup event{.group = std::string(message->group_id), .members = {}};
  if (request.version() < kFirstWithSeveral) {
    event.members.push_back({std::string(message->member_id), std::nullopt, std::nullopt});
  }
  for (const auto& member : message->members) {
    event.members.push_back({std::string(member.member_id), owned(member.group_instance_id), owned(member.reason)});
  }
  Reply<LeaveGroupResult> reply = [request = std::move(request),
                                   message = std::move(*message)](LeaveGroupResult result) mutable {
    LeaveGroupResponse response;
    response.error_code = code(result.error);
    if (request.version() < kFirstWithSeveral) {
      if (!result.members.empty()) response.error_code = code(result.members.front());
    } else {
      for (std::size_t i = 0; i < result.members.size(); ++i) {
        const auto& member = message.members[i];
        response.members.push_back({member.member_id, member.group_instance_id, code(result.members[i])});
      }
    }
    request.respond(response);
  };
  endpoint.groups().ask(&GroupCoordinator::leave, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
