// OffsetCommit: answered when the offsets are on disk. Partitions that do not exist are refused one by one.
#include "kafka/protocol/messages/offset_commit.h"

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/owned_text.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

// `refused`: one per partition of the message; results are for the others, in order.
void respond(Request& request, const OffsetCommitRequest& message, const std::vector<KafkaError>& refused,
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
      const KafkaError refusal = refused[next++];
      const KafkaError error = refusal == KafkaError::none ? results[next_known++] : refusal;
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
  const bool group_allowed = may_group(request, AclOperation::read, message->group_id);
  std::vector<KafkaError> refused;
  for (const auto& topic : message->topics) {
    const topics::Topic* found = table->find(topic.name);
    const bool allowed = may_topic(request, AclOperation::read, topic.name);
    for (const auto& partition : topic.partitions) {
      const bool known = find_partition(found, partition.partition_index) != nullptr;
      refused.push_back(!group_allowed ? KafkaError::group_authorization_failed
                        : !allowed     ? KafkaError::topic_authorization_failed
                        : known        ? KafkaError::none
                                       : KafkaError::unknown_topic_or_partition);
      if (refused.back() != KafkaError::none) continue;
      event.entries.push_back({{std::string(topic.name), partition.partition_index},
                               {.offset = partition.committed_offset,
                                .leader_epoch = partition.committed_leader_epoch,
                                .metadata = std::string(partition.committed_metadata.value_or(""))}});
    }
  }
  if (event.entries.empty()) return respond(request, *message, refused, {});
  Reply<OffsetCommitResult> reply = [request = std::move(request), message = std::move(*message),
                                     refused = std::move(refused)](OffsetCommitResult results) mutable {
    respond(request, message, refused, results);
  };
  endpoint.groups().ask(&GroupCoordinator::commit, std::move(event), endpoint.executor(), std::move(reply));
}

}  // namespace millrace::kafka
