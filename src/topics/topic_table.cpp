#include "topics/topic_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "topics/topic_config.h"

namespace millrace::topics {
namespace {

// Kafka reports metrics with '.' and '_' both as '_', so it refuses two names that differ only there
// (Topic.hasCollision).
std::string collision_form(std::string_view name) {
  std::string form(name);
  std::ranges::replace(form, '.', '_');
  return form;
}

void add_partition(std::shared_ptr<Topic>& topic, const storage::Log::PartitionEntry& entry) {
  if (!topic) {
    topic = std::make_shared<Topic>();
    topic->name = entry.spec.name.topic;
    topic->id = entry.spec.topic_id;
    topic->internal = topic->name.starts_with("__");
    topic->log_config = entry.spec.config;
    if (auto settings = parse_config(entry.spec.properties)) topic->config = std::move(*settings);
  }
  const auto index = static_cast<std::size_t>(entry.spec.name.partition.value());
  if (topic->partitions.size() <= index) topic->partitions.resize(index + 1);
  topic->partitions[index] = entry.log;
}

}  // namespace

std::shared_ptr<const TopicTable> with_topic(const TopicTable& table, std::string_view name,
                                             const std::vector<storage::Log::PartitionEntry>& partitions,
                                             std::uint64_t version) {
  std::shared_ptr<Topic> topic;
  for (const storage::Log::PartitionEntry& entry : partitions) add_partition(topic, entry);
  auto changed = std::make_shared<TopicTable>(table);
  changed->version = version;
  if (topic) {
    changed->topics.insert_or_assign(std::string(name), std::move(topic));
  } else {
    changed->topics.erase(std::string(name));
  }
  return changed;
}

std::shared_ptr<const TopicTable> build_topic_table(const std::vector<storage::Log::PartitionEntry>& partitions,
                                                    std::uint64_t version) {
  std::unordered_map<std::string, std::shared_ptr<Topic>> topics;
  for (const storage::Log::PartitionEntry& entry : partitions) add_partition(topics[entry.spec.name.topic], entry);
  auto table = std::make_shared<TopicTable>();
  table->version = version;
  for (auto& [name, topic] : topics) table->topics.emplace(name, std::move(topic));
  return table;
}

Result<PlannedTopic> plan_topic(const TopicTable& table, const NewTopic& request, const storage::LogConfig& defaults,
                                std::int32_t default_partitions, Uuid id) {
  MR_TRY(check_topic_name(request.name));
  if (table.find(request.name) != nullptr) {
    return fail(ErrorCode::already_exists, "Topic already exists", request.name);
  }
  if (request.name.find_first_of("._") != std::string::npos) {
    const std::string form = collision_form(request.name);
    for (const auto& [name, topic] : table.topics) {
      if (collision_form(name) == form) {
        return fail(ErrorCode::invalid_argument,
                    "Topic name collides with an existing one ('.' and '_' count as the same)", name);
      }
    }
  }
  const std::int32_t count = request.partitions == -1 ? default_partitions : request.partitions;
  if (count < 1 || count > kMaxPartitionsPerTopic) {
    return fail(ErrorCode::invalid_argument, "Number of partitions must be 1 to 10000", std::to_string(count));
  }
  MR_TRY_ASSIGN(const storage::LogConfig config, effective_config(defaults, request.config));

  PlannedTopic planned;
  planned.preview.name = request.name;
  planned.preview.id = id;
  planned.preview.internal = request.internal;
  planned.preview.config = request.config;
  planned.preview.log_config = config;
  const std::string properties = serialize_config(request.config);
  for (std::int32_t i = 0; i < count; ++i) {
    planned.partitions.push_back(
        {.name = {request.name, PartitionIndex(i)}, .topic_id = id, .config = config, .properties = properties});
  }
  return planned;
}

Result<std::vector<storage::PartitionSpec>> plan_partitions(const Topic& topic, std::int32_t total) {
  const auto present = static_cast<std::int32_t>(topic.partitions.size());
  if (total < present) {
    return fail(ErrorCode::invalid_argument, "",
                fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.", topic.name,
                            present, total));
  }
  if (total == present) {
    return fail(ErrorCode::invalid_argument, "", fmt::format("Topic already has {} partition(s).", present));
  }
  if (total > kMaxPartitionsPerTopic) {
    return fail(ErrorCode::invalid_argument, "",
                fmt::format("Number of partitions must be at most {}", kMaxPartitionsPerTopic));
  }
  std::vector<storage::PartitionSpec> specs;
  const std::string properties = serialize_config(topic.config);
  for (std::int32_t i = present; i < total; ++i) {
    specs.push_back({.name = {topic.name, PartitionIndex(i)},
                     .topic_id = topic.id,
                     .config = topic.log_config,
                     .properties = properties});
  }
  return specs;
}

Result<std::vector<storage::PartitionChange>> plan_config(const Topic& topic, const storage::LogConfig& defaults,
                                                          const ConfigMap& settings) {
  MR_TRY_ASSIGN(const storage::LogConfig config, effective_config(defaults, settings));
  const std::string properties = serialize_config(settings);
  std::vector<storage::PartitionChange> changes;
  for (const auto& partition : topic.partitions) {
    changes.emplace_back(storage::ConfigurePartition{
        .name = partition->name(), .config = config, .properties = properties, .outcome = {}});
  }
  return changes;
}

std::vector<storage::PartitionChange> plan_defaults(const std::vector<storage::Log::PartitionEntry>& partitions,
                                                    const storage::LogConfig& defaults) {
  std::vector<storage::PartitionChange> changes;
  const storage::PartitionSpec* before = nullptr;  // the settings of a topic's partitions are the same text
  storage::LogConfig wanted;
  for (const storage::Log::PartitionEntry& entry : partitions) {
    const storage::PartitionSpec& spec = entry.spec;
    if (before == nullptr || before->properties != spec.properties) {
      const auto settings = parse_config(spec.properties);
      // A setting that this build refuses stays as it was taken.
      const auto config = settings ? effective_config(defaults, *settings) : std::unexpected<Error>(settings.error());
      wanted = config ? *config : spec.config;
      before = config ? &spec : nullptr;
    }
    if (wanted == spec.config) continue;
    changes.emplace_back(
        storage::ConfigurePartition{.name = spec.name, .config = wanted, .properties = spec.properties, .outcome = {}});
  }
  return changes;
}

}  // namespace millrace::topics
