// CreateTopics (KIP-4). There is one node, so a topic has one replica, whatever was asked for.
#include "kafka/protocol/messages/create_topics.h"

#include <string>
#include <vector>

#include "base/log.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/refusal.h"
#include "kafka/server/repeated_names.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

using Wanted = CreateTopicsRequest::CreatableTopic;

struct Outcome : Refusal {
  std::shared_ptr<const topics::Topic> topic = nullptr;
  std::int32_t partitions = -1;  // a topic that was only validated has none yet
};

struct Creation {
  Request request;
  CreateTopicsRequest message;
  std::vector<Outcome> outcomes;  // one per topic of the message
  std::size_t open = 0;
};

Refusal refuse(KafkaError error, std::string message) {
  return {error, std::move(message)};
}

// What the log refused. Name and partitions were checked here, so what is left to be wrong is the config, told in
// Kafka's words and without a context, or a name that differs from another one only in '.' and '_'.
Refusal refusal_of(const Error& error, std::string_view name) {
  const std::string topic = "Topic '" + std::string(name) + "'";
  if (error.code == ErrorCode::already_exists) {
    return {KafkaError::topic_already_exists, topic + " already exists."};
  }
  if (error.code != ErrorCode::invalid_argument) return {to_kafka(error.code), error.message()};
  if (error.context[0] == '\0') return {KafkaError::invalid_config, error.detail};
  return {KafkaError::invalid_topic, topic + " collides with existing topic: " + error.detail};
}

// 1 and "default" are what can be had. More is granted as 1 unless the settings refuse it (Connect asks for 3).
Refusal check_replication_factor(std::int16_t factor, const ServerSettings& settings) {
  if (factor == -1 || factor == 1) return {};
  if (factor < 1) {
    return {KafkaError::invalid_replication_factor, "Replication factor was set to an invalid non-positive value."};
  }
  if (settings.clamp_replication_factor) return {};
  return {KafkaError::invalid_replication_factor, "Unable to replicate the partition " + std::to_string(factor) +
                                                      " time(s): The target replication factor of " +
                                                      std::to_string(factor) +
                                                      " cannot be reached because only 1 broker(s) are registered."};
}

// Error, or the partition count to ask for (-1: default).
Refusal check(const Wanted& wanted, bool twice, const ServerSettings& settings, std::int32_t& partitions) {
  if (const auto name = check_topic_name(wanted.name); !name)
    return refuse(KafkaError::invalid_topic, name.error().context);
  if (is_reserved_topic(wanted.name)) {
    return refuse(KafkaError::invalid_topic, "topics whose names begin with \"__\" belong to millrace itself");
  }
  if (twice) return refuse(KafkaError::invalid_request, "Duplicate topic name.");
  partitions = wanted.num_partitions;
  if (!wanted.assignments.empty()) {
    if (wanted.replication_factor != -1) {
      return refuse(KafkaError::invalid_request,
                    "A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if (wanted.num_partitions != -1) {
      return refuse(KafkaError::invalid_request,
                    "A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    partitions = static_cast<std::int32_t>(wanted.assignments.size());
    std::vector<bool> seen(wanted.assignments.size());
    for (const auto& assignment : wanted.assignments) {
      const auto index = static_cast<std::size_t>(assignment.partition_index);
      if (assignment.partition_index < 0 || index >= seen.size() || seen[index] ||
          assignment.broker_ids != std::vector{settings.node_id}) {
        return refuse(
            KafkaError::invalid_replica_assignment,
            "assignments must name each partition once, from 0 on, on broker " + std::to_string(settings.node_id));
      }
      seen[index] = true;
    }
  } else if (const Refusal refusal = check_replication_factor(wanted.replication_factor, settings)) {
    return refusal;
  }
  if (partitions != -1 && partitions < 1) {
    return refuse(KafkaError::invalid_partitions, "Number of partitions was set to an invalid non-positive value.");
  }
  if (partitions > settings.max_partitions_per_topic) {
    return refuse(
        KafkaError::invalid_partitions,
        "partitions must be 1 to " + std::to_string(settings.max_partitions_per_topic) + ", or -1 for num.partitions");
  }
  for (const auto& entry : wanted.configs) {
    if (!entry.value) {
      return refuse(KafkaError::invalid_config,
                    "Null value not supported for topic configs: " + std::string(entry.name));
    }
  }
  return {};
}

void respond(Creation& creation) {
  CreateTopicsResponse response;
  response.topics.reserve(creation.outcomes.size());
  for (std::size_t i = 0; i < creation.outcomes.size(); ++i) {
    const Outcome& outcome = creation.outcomes[i];
    auto& out = response.topics.emplace_back();
    out.name = creation.message.topics[i].name;
    out.error_code = code(outcome.error);
    out.error_message.reset();
    if (!outcome.message.empty()) out.error_message = outcome.message;
    out.configs->clear();
    if (outcome.topic == nullptr) continue;
    out.topic_id = outcome.topic->id.bytes;
    out.num_partitions = outcome.partitions;
    out.replication_factor = 1;
    if (!may_topic(creation.request, AclOperation::describe_configs, outcome.topic->name)) {
      out.topic_config_error_code = code(KafkaError::topic_authorization_failed);
      out.configs.reset();
      out.num_partitions = -1;
      out.replication_factor = -1;
      continue;
    }
    for (const auto& [name, value] : outcome.topic->config) {
      constexpr std::int8_t kTopicConfig = 1;
      out.configs->push_back({name, value, false, kTopicConfig, false});
    }
  }
  creation.request.respond(response);
}

}  // namespace

void handle_create_topics(Endpoint& endpoint, Request request) {
  auto message = request.decode<CreateTopicsRequest>();
  if (!message) return request.malformed(message.error());
  const auto repeated = take_out_repeats(message->topics, [](const Wanted& wanted) { return wanted.name; });
  auto creation = std::make_shared<Creation>(std::move(request), std::move(*message));
  const std::size_t count = creation->message.topics.size();
  creation->outcomes.resize(count);
  creation->open = count + 1;
  for (std::size_t i = 0; i < count; ++i) {
    const Wanted& wanted = creation->message.topics[i];
    topics::NewTopic topic{.name = std::string(wanted.name),
                           .partitions = -1,
                           .config = {},
                           .validate_only = creation->message.validate_only};
    static_cast<Refusal&>(creation->outcomes[i]) =
        may_create_topic(creation->request, wanted.name)
            ? check(wanted, repeated.contains(wanted.name), endpoint.settings(), topic.partitions)
            : refuse(KafkaError::topic_authorization_failed, "Authorization failed.");
    if (creation->outcomes[i].error != KafkaError::none) {
      --creation->open;
      continue;
    }
    if (wanted.replication_factor > 1) {
      log::info("replication_factor_clamped",
                {{"topic", wanted.name}, {"asked", wanted.replication_factor}, {"given", 1}});
    }
    creation->outcomes[i].partitions = topic.partitions == -1 ? endpoint.log().default_partitions() : topic.partitions;
    for (const auto& entry : wanted.configs) topic.config.emplace(entry.name, *entry.value);
    endpoint.log().create_topic(std::move(topic), endpoint.executor(),
                                [creation, i](Result<std::shared_ptr<const topics::Topic>> made) {
                                  Outcome& outcome = creation->outcomes[i];
                                  if (made) {
                                    outcome.topic = std::move(*made);
                                  } else {
                                    const std::string_view name = creation->message.topics[i].name;
                                    static_cast<Refusal&>(outcome) = refusal_of(made.error(), name);
                                  }
                                  if (--creation->open == 0) respond(*creation);
                                });
  }
  if (--creation->open == 0) respond(*creation);
}

}  // namespace millrace::kafka
