// DeleteRecords (KIP-107): moves a partition's log start up. -1 is the high watermark.
#include "kafka/protocol/messages/delete_records.h"

#include <string>
#include <vector>

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

constexpr std::int64_t kHighWatermark = -1;

struct Deletion {
  Request request;
  DeleteRecordsRequest message;
  std::vector<KafkaError> refused;  // one per partition of the message, in order; none: asked of the log
};

KafkaError check(bool allowed, const topics::Topic* topic, const DeleteRecordsRequest::DeleteRecordsPartition& wanted) {
  if (!allowed) return KafkaError::topic_authorization_failed;
  if (find_partition(topic, wanted.partition_index) == nullptr) return KafkaError::unknown_topic_or_partition;
  if (topic->internal) return KafkaError::invalid_topic;
  // As Apache Kafka: records of a topic that is only compacted may not be cut off.
  if (!topic->log_config.delete_old) return KafkaError::policy_violation;
  if (wanted.offset < kHighWatermark) return KafkaError::offset_out_of_range;
  return KafkaError::none;
}

void respond(Deletion& deletion, const std::vector<topics::RecordDeletion>& outcomes) {
  constexpr std::int64_t kNoLowWatermark = -1;
  DeleteRecordsResponse response;
  response.topics.reserve(deletion.message.topics.size());
  std::size_t next = 0;
  std::size_t next_outcome = 0;
  for (const auto& asked : deletion.message.topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = asked.name;
    topic.partitions.reserve(asked.partitions.size());
    for (const auto& wanted : asked.partitions) {
      auto& out = topic.partitions.emplace_back();
      out.partition_index = wanted.partition_index;
      out.low_watermark = kNoLowWatermark;
      const KafkaError refused = deletion.refused[next++];
      out.error_code = code(refused);
      if (refused != KafkaError::none) continue;
      const Result<Offset>& start = outcomes[next_outcome++].log_start;
      if (start) {
        out.low_watermark = start->value();
      } else {
        out.error_code = code(to_kafka(start.error().code));
      }
    }
  }
  deletion.request.respond(response);
}

}  // namespace

void handle_delete_records(Endpoint& endpoint, Request request) {
  auto message = request.decode<DeleteRecordsRequest>();
  if (!message) return request.malformed(message.error());
  auto deletion = std::make_unique<Deletion>(std::move(request), std::move(*message));
  const auto& table = endpoint.table();
  std::vector<topics::RecordDeletion> wanted;
  for (const auto& asked : deletion->message.topics) {
    const topics::Topic* topic = table->find(asked.name);
    const bool allowed = may_topic(deletion->request, AclOperation::remove, asked.name);
    for (const auto& partition : asked.partitions) {
      const KafkaError refused = deletion->refused.emplace_back(check(allowed, topic, partition));
      if (refused != KafkaError::none) continue;
      wanted.push_back({.partition = {std::string(asked.name), PartitionIndex(partition.partition_index)},
                        .before = Offset(partition.offset)});
    }
  }
  if (wanted.empty()) return respond(*deletion, {});
  endpoint.log().delete_records(std::move(wanted), endpoint.executor(),
                                [deletion = std::move(deletion)](const std::vector<topics::RecordDeletion>& outcomes) {
                                  respond(*deletion, outcomes);
                                });
}

}  // namespace millrace::kafka
