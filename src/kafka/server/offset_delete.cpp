// OffsetDelete (KIP-496): forgets committed offsets of topics that the group does not consume.
#include "kafka/protocol/messages/offset_delete.h"

#include "kafka/groups/groups.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

void respond(Request& request, const OffsetDeleteRequest& message, const std::vector<bool>& known,
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
      const KafkaError error = known[next++] ? result.partitions[next_known++] : KafkaError::unknown_topic_or_partition;
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
  std::vector<bool> known;
  for (const auto& topic : message->topics) {
    const topics::Topic* found = table->find(topic.name);
    for (const auto& partition : topic.partitions) {
      known.push_back(find_partition(found, partition.partition_index) != nullptr);
      if (known.back()) event.partitions.push_back({std::string(topic.name), partition.partition_index});
    }
  }
  Reply<OffsetDeleteResult> reply = [request = std::move(request), message = std::move(*message),
                                     known = std::move(known)](OffsetDeleteResult result) mutable {
    respond(request, message, known, result);
  };
  endpoint.groups().ask(&GroupCoordinator::delete_offsets, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
