// ListGroups: every group of this node, by state (KIP-518) and type (KIP-848: all are classic). Words are compared
// without regard to case.
#include "kafka/protocol/messages/list_groups.h"

#include <algorithm>

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

constexpr std::string_view kType = "classic";

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool wanted(const std::vector<std::string_view>& filter, std::string_view word) {
  return filter.empty() || std::ranges::any_of(filter, [&](std::string_view one) { return same_word(one, word); });
}

}  // namespace

void handle_list_groups(Endpoint& endpoint, Request request) {
  auto message = request.decode<ListGroupsRequest>();
  if (!message) return request.malformed(message.error());
  Reply<ListGroupsResult> reply = [request = std::move(request),
                                   message = std::move(*message)](ListGroupsResult result) mutable {
    ListGroupsResponse response;
    response.error_code = code(result.error);
    const bool all = may_cluster(request, AclOperation::describe);
    for (const ListedGroup& group : result.groups) {
      if (!all && !may_group(request, AclOperation::describe, group.group)) continue;
      if (!wanted(message.states_filter, to_string(group.state)) || !wanted(message.types_filter, kType)) continue;
      response.groups.push_back({group.group, group.protocol_type, to_string(group.state), kType});
    }
    request.respond(response);
  };
  endpoint.groups().list(endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
