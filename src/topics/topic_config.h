// TopicConfig: one topic's explicit settings under Kafka's names, and what they come to. The keys are the rows of
// topic_config_table.h. Thread: any (values only).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/log_config.h"
#include "topics/topic_config_table.h"

namespace millrace::topics {

using ConfigMap = std::map<std::string, std::string>;

/// `defaults` with `explicit_settings` applied. Error: invalid_argument; detail is the text Kafka answers with.
Result<storage::LogConfig> effective_config(const storage::LogConfig& defaults, const ConfigMap& explicit_settings);

/// Every key effective_config() takes, sorted.
std::vector<std::string> topic_config_keys();

/// What a key comes to, in Kafka's spelling ("delete", "604800000"); empty for an unknown key.
std::string config_value(const storage::LogConfig& config, std::string_view key);

/// Where a value comes from, numbered as DescribeConfigs has it.
enum class ConfigSource : std::int8_t { dynamic_topic = 1, static_broker = 4, builtin = 5 };
struct ConfigEntry {
  const ConfigKey* key = nullptr;
  std::string value;
  ConfigSource source = ConfigSource::builtin;
};
/// Every key of a topic with `explicit_settings`, sorted by name, as DescribeConfigs shows it. `defaults`: what this
/// server gives topics that say nothing.
std::vector<ConfigEntry> describe_config(const storage::LogConfig& defaults, const ConfigMap& explicit_settings);
/// One of them.
ConfigEntry describe_config(const ConfigKey& key, const storage::LogConfig& defaults,
                            const ConfigMap& explicit_settings);

/// The settings as text ("key=value" lines, values escaped), as they are kept with a partition, and back.
std::string serialize_config(const ConfigMap& settings);
Result<ConfigMap> parse_config(std::string_view text);

}  // namespace millrace::topics
