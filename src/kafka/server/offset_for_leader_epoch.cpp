// OffsetForLeaderEpoch (KIP-320): where an epoch ended. There is one epoch, and it ends at the high watermark.
#include "kafka/protocol/messages/offset_for_leader_epoch.h"

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {

void handle_offset_for_leader_epoch(Endpoint& endpoint, Request request) {
  const auto message = request.decode<OffsetForLeaderEpochRequest>();
  if (!message) return request.malformed(message.error());
  const auto table = endpoint.table();
  OffsetForLeaderEpochResponse response;
  response.topics.reserve(message->topics.size());
  for (const auto& asked : message->topics) {
    auto& topic = response.topics.emplace_back();
    topic.topic = asked.topic;
    topic.partitions.reserve(asked.partitions.size());
    const bool allowed = may_topic(request, AclOperation::describe, asked.topic);
    for (const auto& wanted : asked.partitions) {
      auto& out = topic.partitions.emplace_back();
      out.partition = wanted.partition;
      const auto partition = find_partition(table->find(asked.topic), wanted.partition);
      if (!allowed) {
        out.error_code = code(KafkaError::topic_authorization_failed);
      } else if (partition == nullptr) {
        out.error_code = code(KafkaError::unknown_topic_or_partition);
      } else if (wanted.current_leader_epoch > kLeaderEpoch) {
        out.error_code = code(KafkaError::unknown_leader_epoch);
      } else if (wanted.leader_epoch == kLeaderEpoch) {
        out.leader_epoch = kLeaderEpoch;
        out.end_offset = partition->high_watermark().value();
      }
    }
  }
  request.respond(response);
}

}  // namespace millrace::kafka
