// ElectLeaders (KIP-183, KIP-460): every partition has one replica, and it leads already.
#include "kafka/protocol/messages/elect_leaders.h"

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {

void handle_elect_leaders(Endpoint& endpoint, Request request) {
  const auto message = request.decode<ElectLeadersRequest>();
  if (!message) return request.malformed(message.error());
  ElectLeadersResponse response;
  if (!may_cluster(request, AclOperation::alter)) {
    response.error_code = code(KafkaError::cluster_authorization_failed);
    return request.respond(response);
  }
  // No list means every partition that needs an election: there is none.
  if (message->topic_partitions) {
    const auto& table = endpoint.table();
    response.replica_election_results.reserve(message->topic_partitions->size());
    for (const auto& asked : *message->topic_partitions) {
      auto& topic = response.replica_election_results.emplace_back();
      topic.topic = asked.topic;
      topic.partition_result.reserve(asked.partitions.size());
      for (const std::int32_t index : asked.partitions) {
        auto& out = topic.partition_result.emplace_back();
        out.partition_id = index;
        const bool known = find_partition(table->find(asked.topic), index) != nullptr;
        out.error_code = code(known ? KafkaError::election_not_needed : KafkaError::unknown_topic_or_partition);
        out.error_message = known ? "Leader election not needed for topic partition." : "No such topic or partition";
      }
    }
  }
  request.respond(response);
}

}  // namespace millrace::kafka
