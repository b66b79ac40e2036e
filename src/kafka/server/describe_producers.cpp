// DescribeProducers (KIP-664): which idempotent producers a partition remembers.
#include "kafka/protocol/messages/describe_producers.h"

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {

void handle_describe_producers(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DescribeProducersRequest>();
  if (!message) return request.malformed(message.error());
  const auto& table = endpoint.table();
  DescribeProducersResponse response;
  response.topics.reserve(message->topics.size());
  for (const auto& asked : message->topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = asked.name;
    topic.partitions.reserve(asked.partition_indexes.size());
    const bool allowed = may_topic(request, AclOperation::read, asked.name);
    for (const std::int32_t index : asked.partition_indexes) {
      auto& out = topic.partitions.emplace_back();
      out.partition_index = index;
      const auto partition = find_partition(table->find(asked.name), index);
      if (!allowed || partition == nullptr) {
        out.error_code =
            code(allowed ? KafkaError::unknown_topic_or_partition : KafkaError::topic_authorization_failed);
        continue;
      }
      constexpr std::int32_t kNoCoordinator = -1;  // no transactions
      for (const storage::ProducerState& producer : partition->producers()) {
        out.active_producers.push_back({.producer_id = producer.id.value(),
                                        .producer_epoch = producer.epoch.value(),
                                        .last_sequence = producer.last_sequence,
                                        .last_timestamp = producer.last_timestamp_ms,
                                        .coordinator_epoch = kNoCoordinator});
      }
    }
  }
  request.respond(response);
}

}  // namespace millrace::kafka
