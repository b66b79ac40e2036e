// CreatePartitions (KIP-195): more partitions for a topic that exists.
#include "kafka/protocol/messages/create_partitions.h"

#include <string>
#include <vector>

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/refusal.h"
#include "kafka/server/repeated_names.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

using Wanted = CreatePartitionsRequest::CreatePartitionsTopic;

struct Growth {
  Request request;
  CreatePartitionsRequest message;
  std::vector<Refusal> outcomes;  // one per topic of the message
  std::size_t open = 1;

  void one_done() {
    if (--open != 0) return;
    CreatePartitionsResponse response;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      response.results.push_back({message.topics[i].name, code(outcomes[i].error), outcomes[i].text()});
    }
    request.respond(response);
  }
};

Refusal check_assignments(const Wanted& wanted, std::int32_t added, std::int32_t node_id) {
  if (!wanted.assignments) return {};
  if (std::cmp_not_equal(wanted.assignments->size(), added)) {
    return {KafkaError::invalid_replica_assignment,
            "Attempted to add " + std::to_string(added) + " additional partition(s), but only " +
                std::to_string(wanted.assignments->size()) + " assignment(s) were specified."};
  }
  for (const auto& assignment : *wanted.assignments) {
    if (assignment.broker_ids == std::vector{node_id}) continue;
    return {KafkaError::invalid_replica_assignment,
            "The manual partition assignment must name broker " + std::to_string(node_id) + " and no other."};
  }
  return {};
}

Refusal check(const Wanted& wanted, bool twice, const topics::Topic* topic, const ServerSettings& settings) {
  if (twice) return {KafkaError::invalid_request, "Duplicate topic name."};
  if (topic == nullptr) {
    return {KafkaError::unknown_topic_or_partition, "This server does not host this topic-partition."};
  }
  if (is_reserved_topic(wanted.name)) {
    return {KafkaError::invalid_topic, "topics whose names begin with \"__\" belong to millrace itself"};
  }
  const auto current = static_cast<std::int32_t>(topic->partitions.size());
  if (wanted.count == current) {
    return {KafkaError::invalid_partitions, "Topic already has " + std::to_string(current) + " partition(s)."};
  }
  if (wanted.count < current) {
    return {KafkaError::invalid_partitions, "The topic " + std::string(wanted.name) + " currently has " +
                                                std::to_string(current) + " partition(s); " +
                                                std::to_string(wanted.count) + " would not be an increase."};
  }
  if (wanted.count > settings.max_partitions_per_topic) {
    return {KafkaError::invalid_partitions,
            "A topic may have " + std::to_string(settings.max_partitions_per_topic) + " partitions."};
  }
  return check_assignments(wanted, wanted.count - current, settings.node_id);
}

Refusal to_refusal(const Error& error) {
  if (error.code == ErrorCode::invalid_argument) return {KafkaError::invalid_partitions, error.detail};
  return {to_kafka(error.code), error.message()};
}

}  // namespace

void handle_create_partitions(Endpoint& endpoint, Request request) {
  auto message = request.decode<CreatePartitionsRequest>();
  if (!message) return request.malformed(message.error());
  const auto repeated = take_out_repeats(message->topics, [](const Wanted& wanted) { return wanted.name; });
  auto growth = std::make_shared<Growth>(std::move(request), std::move(*message));
  const auto& wanted = growth->message.topics;
  growth->outcomes.resize(wanted.size());
  const auto table = endpoint.table();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    growth->outcomes[i] =
        may_topic(growth->request, AclOperation::alter, wanted[i].name)
            ? check(wanted[i], repeated.contains(wanted[i].name), table->find(wanted[i].name), endpoint.settings())
            : Refusal{KafkaError::topic_authorization_failed, "The topic authorization is failed."};
    if (growth->outcomes[i] || growth->message.validate_only) continue;
    ++growth->open;
    endpoint.log().create_partitions(std::string(wanted[i].name), wanted[i].count, endpoint.executor(),
                                     [growth, i](const Result<std::shared_ptr<const topics::Topic>>& grown) {
                                       if (!grown) growth->outcomes[i] = to_refusal(grown.error());
                                       growth->one_done();
                                     });
  }
  growth->one_done();
}

}  // namespace millrace::kafka
