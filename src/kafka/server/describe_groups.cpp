// DescribeGroups: state and members. A group that does not exist is "Dead".
#include "kafka/protocol/messages/describe_groups.h"

#include <memory>

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

struct Describing {
  Request request;
  bool operations = false;
  std::vector<GroupDescription> groups = {};
  std::size_t open = 1;
};

void respond(Describing& describing) {
  DescribeGroupsResponse response;
  for (const GroupDescription& group : describing.groups) {
    auto& out = response.groups.emplace_back();
    out.error_code = code(group.error);
    out.group_id = group.group;
    out.group_state = to_string(group.state);
    out.protocol_type = group.protocol_type;
    out.protocol_data = group.protocol;
    if (describing.operations) {
      out.authorized_operations = allowed_operations(describing.request, auth::AclResource::group, group.group);
    }
    for (const DescribedMember& member : group.members) {
      out.members.push_back({.member_id = member.id,
                             .group_instance_id = member.instance_id,
                             .client_id = member.client_id,
                             .client_host = member.client_host,
                             .member_metadata = as_bytes(member.metadata),
                             .member_assignment = as_bytes(member.assignment)});
    }
  }
  describing.request.respond(response);
}

}  // namespace

void handle_describe_groups(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DescribeGroupsRequest>();
  if (!message) return request.malformed(message.error());
  auto describing = std::make_shared<Describing>(std::move(request), message->include_authorized_operations);
  describing->groups.resize(message->groups.size());
  describing->open += message->groups.size();
  for (std::size_t i = 0; i < message->groups.size(); ++i) {
    if (!may_group(describing->request, AclOperation::describe, message->groups[i])) {
      GroupDescription& refused = describing->groups[i];
      refused.group = message->groups[i];
      refused.error = KafkaError::group_authorization_failed;
      refused.state = GroupState::dead;
      --describing->open;
      continue;
    }
    Reply<GroupDescription> reply = [describing, i](GroupDescription group) {
      describing->groups[i] = std::move(group);
      if (--describing->open == 0) respond(*describing);
    };
    endpoint.groups().ask(&GroupCoordinator::describe, DescribeGroup{std::string(message->groups[i])},
                          endpoint.executor(), std::move(reply));
  }
  if (--describing->open == 0) respond(*describing);
}

}  // namespace millrace::kafka
