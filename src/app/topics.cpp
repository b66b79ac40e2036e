// millrace topics: what kafka-topics and kafka-configs do to topics, in their words, without a JVM.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/kafka_verb.h"
#include "kafka/client/client.h"
#include "kafka/protocol/messages/create_partitions.h"
#include "kafka/protocol/messages/create_topics.h"
#include "kafka/protocol/messages/delete_topics.h"
#include "kafka/protocol/messages/describe_configs.h"
#include "kafka/protocol/messages/incremental_alter_configs.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/server/config_resource.h"
#include "model/ids.h"

namespace millrace::app {
namespace {

using namespace kafka;

constexpr OptionRow kOptions[] = {
    kKafkaOption,
    kKafkaUserOption,
    kKafkaTlsOption,
    kKafkaAuthorityOption,
    {"--partitions", "N", "create: partitions; alter: how many there shall be"},
    {"--config", "KEY=VALUE", "create, alter: a setting of the topic; may be given several times"},
    {"--delete-config", "KEY", "alter: back to the server's default"},
    {"--if-exists", "", "alter, delete, describe: a topic that is not there is no error"},
    {"--if-not-exists", "", "create: a topic that is there is no error"},
    {"--exclude-internal", "", "list, describe: without the server's own topics"},
};

constexpr std::string_view kUsage =
    "usage: millrace topics list|create|describe|alter|delete [TOPIC...] [options]\n\n{}\n"
    "  millrace topics create readings --partitions 12 --config retention.ms=86400000\n"
    "  millrace topics describe readings\n"
    "  millrace topics alter readings --config cleanup.policy=compact --delete-config retention.ms\n";

constexpr std::int16_t kTopicExists = 36;
constexpr std::int16_t kUnknownTopic = 3;

struct Session {
  Client client;
  const Options& options;
  std::vector<std::string> topics;  // named on the command line
};

std::unexpected<Error> refused(std::string_view topic, std::int16_t code, std::optional<std::string_view> message) {
  return fail(ErrorCode::invalid_argument, "",
              message && !message->empty() ? std::string(*message) : fmt::format("{}: Kafka error {}", topic, code));
}

Result<std::pair<std::string, std::string>> split_config(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return fail(ErrorCode::invalid_argument, "", "--config is KEY=VALUE, not " + text);
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<std::int32_t> partition_count(const Options& options) {
  const std::string text = options.get("--partitions");
  std::int32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(ErrorCode::invalid_argument, "", "--partitions is a number, not " + text);
  }
  return count;
}

// The topics named, or all; sorted. Those that are not there stand in the answer with their error.
Result<Answer<MetadataResponse>> find_topics(Session& session) {
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  if (session.topics.empty()) request.topics.reset();
  for (const std::string& name : session.topics) request.topics->push_back({.name = name});
  MR_TRY_ASSIGN(auto answer, session.client.ask<MetadataResponse>(ApiKey::metadata, 12, request));
  auto& topics = answer.message.topics;
  if (session.options.has("--exclude-internal"))
    std::erase_if(topics, [](const auto& topic) { return topic.is_internal; });
  if (session.options.has("--if-exists")) {
    std::erase_if(topics, [](const auto& topic) { return topic.error_code == kUnknownTopic; });
  }
  std::ranges::sort(topics, {}, [](const auto& topic) { return topic.name.value_or(""); });
  for (const auto& topic : topics) {
    if (topic.error_code == kUnknownTopic) {
      return refused(*topic.name, topic.error_code, fmt::format("Topic '{}' does not exist as expected", *topic.name));
    }
    if (topic.error_code != 0) return refused(topic.name.value_or(""), topic.error_code, std::nullopt);
  }
  return answer;
}

Result<void> list(Session& session) {
  MR_TRY_ASSIGN(const auto answer, find_topics(session));
  for (const auto& topic : answer.message.topics) fmt::print("{}\n", *topic.name);
  return {};
}

// What was set for each topic, as "a=1,b=2".
Result<std::vector<std::string>> explicit_configs(Session& session, const MetadataResponse& found) {
  constexpr std::int8_t kDynamicTopic = 1;
  DescribeConfigsRequest request;
  for (const auto& topic : found.topics) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<std::int8_t>(ResourceType::topic);
    resource.resource_name = *topic.name;
    resource.configuration_keys.reset();
  }
  MR_TRY_ASSIGN(const auto answer, session.client.ask<DescribeConfigsResponse>(ApiKey::describe_configs, 4, request));
  std::vector<std::string> texts;
  for (const auto& result : answer.message.results) {
    std::string& text = texts.emplace_back();
    for (const auto& config : result.configs) {
      if (config.config_source != kDynamicTopic) continue;
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", config.name, config.value.value_or(""));
    }
  }
  texts.resize(found.topics.size());
  return texts;
}

Result<void> describe(Session& session) {
  MR_TRY_ASSIGN(const auto answer, find_topics(session));
  MR_TRY_ASSIGN(const auto configs, explicit_configs(session, answer.message));
  for (std::size_t i = 0; i < answer.message.topics.size(); ++i) {
    const auto& topic = answer.message.topics[i];
    const std::size_t replicas = topic.partitions.empty() ? 0 : topic.partitions.front().replica_nodes.size();
    fmt::print("Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n", *topic.name,
               Uuid{topic.topic_id}.to_string(), topic.partitions.size(), replicas, configs[i]);
    for (const auto& partition : topic.partitions) {
      fmt::print("\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\n", *topic.name,
                 partition.partition_index, partition.leader_id, fmt::join(partition.replica_nodes, ","),
                 fmt::join(partition.isr_nodes, ","));
    }
  }
  return {};
}

Result<void> create(Session& session) {
  std::int32_t partitions = -1;
  if (session.options.has("--partitions")) {
    MR_TRY_ASSIGN(partitions, partition_count(session.options));
  }
  std::vector<std::pair<std::string, std::string>> configs;
  for (const std::string& text : session.options.all("--config")) {
    MR_TRY_ASSIGN(auto config, split_config(text));
    configs.push_back(std::move(config));
  }
  CreateTopicsRequest request;
  for (const std::string& name : session.topics) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = -1;
    for (const auto& [key, value] : configs) topic.configs.push_back({key, value});
  }
  MR_TRY_ASSIGN(const auto answer, session.client.ask<CreateTopicsResponse>(ApiKey::create_topics, 7, request));
  for (const auto& topic : answer.message.topics) {
    if (topic.error_code == kTopicExists && session.options.has("--if-not-exists")) continue;
    if (topic.error_code != 0) return refused(topic.name, topic.error_code, topic.error_message);
    fmt::print("Created topic {}.\n", topic.name);
  }
  return {};
}

Result<void> alter_configs(Session& session) {
  IncrementalAlterConfigsRequest request;
  std::vector<std::pair<std::string, std::string>> configs;
  for (const std::string& text : session.options.all("--config")) {
    MR_TRY_ASSIGN(auto config, split_config(text));
    configs.push_back(std::move(config));
  }
  const std::vector<std::string> deleted = session.options.all("--delete-config");
  if (configs.empty() && deleted.empty()) return {};
  constexpr std::int8_t kSet = 0;
  constexpr std::int8_t kDelete = 1;
  for (const std::string& name : session.topics) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<std::int8_t>(ResourceType::topic);
    resource.resource_name = name;
    for (const auto& [key, value] : configs) resource.configs.push_back({key, kSet, value});
    for (const std::string& key : deleted) resource.configs.push_back({key, kDelete, std::nullopt});
  }
  MR_TRY_ASSIGN(const auto answer,
                session.client.ask<IncrementalAlterConfigsResponse>(ApiKey::incremental_alter_configs, 1, request));
  for (const auto& topic : answer.message.responses) {
    if (topic.error_code == kUnknownTopic && session.options.has("--if-exists")) continue;
    if (topic.error_code != 0) return refused(topic.resource_name, topic.error_code, topic.error_message);
    fmt::print("Completed updating config for topic {}.\n", topic.resource_name);
  }
  return {};
}

Result<void> alter(Session& session) {
  if (!session.options.has("--partitions") && !session.options.has("--config") &&
      !session.options.has("--delete-config")) {
    return fail(ErrorCode::invalid_argument, "", "alter needs --partitions, --config or --delete-config");
  }
  MR_TRY(alter_configs(session));
  if (!session.options.has("--partitions")) return {};
  MR_TRY_ASSIGN(const std::int32_t count, partition_count(session.options));
  CreatePartitionsRequest request;
  for (const std::string& name : session.topics) request.topics.push_back({name, count, std::nullopt});
  MR_TRY_ASSIGN(const auto answer, session.client.ask<CreatePartitionsResponse>(ApiKey::create_partitions, 3, request));
  for (const auto& topic : answer.message.results) {
    if (topic.error_code == kUnknownTopic && session.options.has("--if-exists")) continue;
    if (topic.error_code != 0) return refused(topic.name, topic.error_code, topic.error_message);
    fmt::print("Topic {} has {} partitions.\n", topic.name, count);
  }
  return {};
}

Result<void> remove(Session& session) {
  DeleteTopicsRequest request;
  for (const std::string& name : session.topics) request.topic_names.emplace_back(name);
  MR_TRY_ASSIGN(const auto answer, session.client.ask<DeleteTopicsResponse>(ApiKey::delete_topics, 5, request));
  for (const auto& topic : answer.message.responses) {
    if (topic.error_code == kUnknownTopic && session.options.has("--if-exists")) continue;
    if (topic.error_code == kUnknownTopic) {
      return refused(*topic.name, topic.error_code, fmt::format("Topic '{}' does not exist as expected", *topic.name));
    }
    if (topic.error_code != 0) return refused(*topic.name, topic.error_code, topic.error_message);
    fmt::print("Deleted topic {}.\n", *topic.name);
  }
  return {};
}

constexpr KafkaAction<Session> kActions[] = {{"list", &list, false},
                                             {"create", &create, true},
                                             {"describe", &describe, false},
                                             {"alter", &alter, true},
                                             {"delete", &remove, true}};

}  // namespace

int topics_main(Arguments arguments) {
  return run_kafka_verb(KafkaVerb<Session>{.name = "topics",
                                           .named = "topic",
                                           .usage = kUsage,
                                           .options = kOptions,
                                           .actions = kActions,
                                           .error = "Error while executing topic command "},
                        arguments);
}

}  // namespace millrace::app
