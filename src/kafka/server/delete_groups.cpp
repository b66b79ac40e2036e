// DeleteGroups (KIP-229): groups without members, and everything they committed.
#include "kafka/protocol/messages/delete_groups.h"

#include <memory>

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

struct Deleting {
  Request request;
  std::vector<std::string> groups = {};
  std::vector<KafkaError> results = {};
  std::size_t open = 1;
};

void respond(Deleting& deleting) {
  DeleteGroupsResponse response;
  for (std::size_t i = 0; i < deleting.groups.size(); ++i) {
    response.results.push_back({deleting.groups[i], code(deleting.results[i])});
  }
  deleting.request.respond(response);
}

}  // namespace

void handle_delete_groups(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DeleteGroupsRequest>();
  if (!message) return request.malformed(message.error());
  auto deleting = std::make_shared<Deleting>(std::move(request));
  for (const std::string_view group : message->groups_names) deleting->groups.emplace_back(group);
  deleting->results.resize(deleting->groups.size(), KafkaError::none);
  deleting->open += deleting->groups.size();
  for (std::size_t i = 0; i < deleting->groups.size(); ++i) {
    if (!may_group(deleting->request, AclOperation::remove, deleting->groups[i])) {
      deleting->results[i] = KafkaError::group_authorization_failed;
      --deleting->open;
      continue;
    }
    Reply<KafkaError> reply = [deleting, i](KafkaError error) {
      deleting->results[i] = error;
      if (--deleting->open == 0) respond(*deleting);
    };
    endpoint.groups().ask(&GroupCoordinator::delete_group, DeleteGroup{deleting->groups[i]}, endpoint.executor(),
                          std::move(reply));
  }
  if (--deleting->open == 0) respond(*deleting);
}

}  // namespace millrace::kafka
