// JoinGroup: the answer comes when the rebalance is through.
#include "kafka/protocol/messages/join_group.h"

#include <algorithm>

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/owned_text.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kFirstWithRebalanceTimeout = 1;
constexpr std::int16_t kFirstWithMemberId = 4;  // KIP-394
constexpr std::int16_t kFirstWithNullProtocol = 7;
constexpr std::int16_t kFirstWithSkippedAssignment = 9;  // KIP-814

// "127.0.0.1:54321" as Apache Kafka shows a client's host: "/127.0.0.1".
std::string host_of(const std::string& peer) {
  return "/" + peer.substr(0, peer.rfind(':'));
}

JoinGroup event_of(const Request& request, const JoinGroupRequest& message) {
  const std::int16_t version = request.version();
  JoinGroup event{.group = std::string(message.group_id),
                  .member_id = std::string(message.member_id),
                  .instance_id = owned(message.group_instance_id),
                  .client_id = std::string(request.header().client_id),
                  .client_host = host_of(request.connection().peer()),
                  .session_timeout = std::chrono::milliseconds(message.session_timeout_ms),
                  .rebalance_timeout = std::chrono::milliseconds(std::max(message.rebalance_timeout_ms, 0)),
                  .protocol_type = std::string(message.protocol_type),
                  .protocols = {},
                  .needs_member_id = version >= kFirstWithMemberId,
                  .can_skip_assignment = version >= kFirstWithSkippedAssignment,
                  .reason = owned(message.reason)};
  if (version < kFirstWithRebalanceTimeout) event.rebalance_timeout = event.session_timeout;
  for (const auto& protocol : message.protocols) {
    event.protocols.push_back({std::string(protocol.name), owned(protocol.metadata)});
  }
  return event;
}

void respond(Request& request, const JoinGroupResult& result) {
  JoinGroupResponse response;
  response.error_code = code(result.error);
  response.generation_id = result.generation;
  response.protocol_type = result.protocol_type;
  response.protocol_name = result.protocol;
  if (!result.protocol && request.version() < kFirstWithNullProtocol) response.protocol_name = "";
  response.leader = result.leader;
  response.skip_assignment = result.skip_assignment;
  response.member_id = result.member_id;
  for (const JoinedMember& member : result.members) {
    auto& out = response.members.emplace_back();
    out.member_id = member.id;
    out.group_instance_id = member.instance_id;
    out.metadata = as_bytes(member.metadata);
  }
  request.respond(response);
}

}  // namespace

void handle_join_group(Endpoint& endpoint, Request request) {
  const auto message = request.decode<JoinGroupRequest>();
  if (!message) return request.malformed(message.error());
  if (!may_group(request, AclOperation::read, message->group_id)) {
    JoinGroupResult refused;
    refused.error = KafkaError::group_authorization_failed;
    return respond(request, refused);
  }
  JoinGroup event = event_of(request, *message);
  Reply<JoinGroupResult> reply = [request = std::move(request)](JoinGroupResult result) mutable {
    respond(request, result);
  };
  endpoint.groups().ask(&GroupCoordinator::join, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
