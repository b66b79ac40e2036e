// OffsetDelete (KIP-496): forgets committed offsets of topics that the group does not consume.
#include "kafka/protocol/messages/offset_delete.h"

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

// `refused`: one per partition of the message; those of the group are asked for the others.
void respond(Request& request, const OffsetDeleteRequest& message, const std::vector<KafkaError>& refused,
             const OffsetDeleteResult& result) {
  OffsetDeleteResponse response;
  response.error_code = code(result.error);
  std::size_t next = 0;
  std::size_t next_known = 0;
  for (const auto& topic : message.topics) {
    if (result.error != KafkaError::none) break;
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& partition : topic.partitions) {
      const KafkaError refusal = refused[next++];
      const KafkaError error = refusal == KafkaError::none ? result.partitions[next_known++] : refusal;
      out.partitions.push_back({partition.partition_index, code(error)});
    }
  }
  request.respond(response);
}

}  // namespace

void handle_offset_delete(Endpoint& endpoint, Request request) {
  auto message = request.decode<OffsetDeleteRequest>();
  if (!message) return request.malformed(message.error());
  OffsetDelete event{.group = std::string(message->group_id), .partitions = {}};
  const auto& table = endpoint.table();
  std::vector<KafkaError> refused;
  if (!may_group(request, AclOperation::remove, message->group_id)) {
    return respond(request, *message, refused, {.error = KafkaError::group_authorization_failed, .partitions = {}});
  }
  for (const auto& topic : message->topics) {
    const topics::Topic* found = table->find(topic.name);
    const bool allowed = may_topic(request, AclOperation::read, topic.name);
    for (const auto& partition : topic.partitions) {
      const bool known = find_partition(found, partition.partition_index) != nullptr;
      refused.push_back(!allowed ? KafkaError::topic_authorization_failed
                        : known  ? KafkaError::none
                                 : KafkaError::unknown_topic_or_partition);
      if (allowed && known) event.partitions.push_back({std::string(topic.name), partition.partition_index});
    }
  }
  if (event.partitions.empty()) return respond(request, *message, refused, {});
  Reply<OffsetDeleteResult> reply = [request = std::move(request), message = std::move(*message),
                                     refused = std::move(refused)](OffsetDeleteResult result) mutable {
    respond(request, message, refused, result);
  };
  endpoint.groups().ask(&GroupCoordinator::delete_offsets, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
