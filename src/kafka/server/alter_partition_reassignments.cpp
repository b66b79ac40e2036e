// AlterPartitionReassignments (KIP-455): the only replica a partition can have is the one it has.
#include "kafka/protocol/messages/alter_partition_reassignments.h"

#include <algorithm>
#include <string>

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/refusal.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

Refusal check(const AlterPartitionReassignmentsRequest::ReassignablePartition& wanted, const topics::Topic* topic,
              std::int32_t node_id) {
  if (find_partition(topic, wanted.partition_index) == nullptr) {
    return {KafkaError::unknown_topic_or_partition, "This server does not host this topic-partition."};
  }
  if (!wanted.replicas) return {KafkaError::no_reassignment_in_progress, "No partition reassignment is in progress."};
  const auto& replicas = *wanted.replicas;
  if (replicas.empty()) {
    return {KafkaError::invalid_replica_assignment, "The manual partition assignment includes an empty replica list."};
  }
  const auto stranger = std::ranges::find_if(replicas, [node_id](std::int32_t id) { return id != node_id; });
  if (stranger != replicas.end()) {
    return {KafkaError::invalid_replica_assignment, "The manual partition assignment includes broker " +
                                                        std::to_string(*stranger) +
                                                        ", but no such broker is registered."};
  }
  if (replicas.size() > 1) {
    return {KafkaError::invalid_replica_assignment,
            "The manual partition assignment includes the broker " + std::to_string(node_id) + " more than once."};
  }
  return {};
}

}  // namespace

void handle_alter_partition_reassignments(Endpoint& endpoint, Request request) {
  const auto message = request.decode<AlterPartitionReassignmentsRequest>();
  if (!message) return request.malformed(message.error());
  const auto& table = endpoint.table();
  AlterPartitionReassignmentsResponse response;
  if (!may_cluster(request, AclOperation::alter)) {
    response.error_code = code(KafkaError::cluster_authorization_failed);
    return request.respond(response);
  }
  std::deque<Refusal> refusals;  // the answer's texts
  response.responses.reserve(message->topics.size());
  for (const auto& asked : message->topics) {
    auto& topic = response.responses.emplace_back();
    topic.name = asked.name;
    topic.partitions.reserve(asked.partitions.size());
    for (const auto& wanted : asked.partitions) {
      const Refusal& refusal =
          refusals.emplace_back(check(wanted, table->find(asked.name), endpoint.settings().node_id));
      topic.partitions.push_back({wanted.partition_index, code(refusal.error), refusal.text()});
    }
  }
  request.respond(response);
}

}  // namespace millrace::kafka
