// OffsetCommit: answered when the offsets are on disk. Partitions that do not exist are refused one by one.
#include "kafka/protocol/messages/offset_commit.h"

#include "kafka/groups/groups.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/owned_text.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

// Results are for the partitions that exist, in order; `known` says which those are.
void respond(Request& request, const OffsetCommitRequest& message, const std::vector<bool>& known,
             const OffsetCommitResult& results) {
  OffsetCommitResponse response;
  response.topics.reserve(message.topics.size());
  std::size_t next = 0;
  std::size_t next_known = 0;
  for (const auto& topic : message.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    out.partitions.reserve(topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      const KafkaError error = known[next++] ? results[next_known++] : KafkaError::unknown_topic_or_partition;
      out.partitions.push_back({partition.partition_index, code(error)});
    }
  }
  request.respond(response);
}

}  // namespace

void handle_offset_commit(Endpoint& endpoint, Request request) {
  auto message = request.decode<OffsetCommitRequest>();
  if (!message) return request.malformed(message.error());
  OffsetCommit event{.group = std::string(message->group_id),
                     .generation = message->generation_id_or_member_epoch,
                     .member_id = std::string(message->member_id),
                     .instance_id = owned(message->group_instance_id),
                     .retention = std::nullopt,
                     .entries = {}};
  if (message->retention_time_ms >= 0) event.retention = std::chrono::milliseconds(message->retention_time_ms);
  const auto& table = endpoint.table();
  std::vector<bool> known;
  for (const auto& topic : message->topics) {
    const topics::Topic* found = table->find(topic.name);
    for (const auto& partition : topic.partitions) {
      known.push_back(find_partition(found, partition.partition_index) != nullptr);
      if (!known.back()) continue;
      event.entries.push_back({{std::string(topic.name), partition.partition_index},
                               {.offset = partition.committed_offset,
                                .leader_epoch = partition.committed_leader_epoch,
                                .metadata = std::string(partition.committed_metadata.value_or(""))}});
    }
  }
  if (event.entries.empty()) return respond(request, *message, known, {});
  Reply<OffsetCommitResult> reply = [request = std::move(request), message = std::move(*message),
                                     known = std::move(known)](OffsetCommitResult results) mutable {
    respond(request, message, known, results);
  };
  endpoint.groups().ask(&GroupCoordinator::commit, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
