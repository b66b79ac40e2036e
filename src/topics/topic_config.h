// TopicConfig: one topic's explicit settings under Kafka's names, and what they come to.
//
// One table row per key (topic_config.cpp) drives the parser, the error texts and the list of known keys. Keys that
// Kafka knows but that mean nothing on one node are accepted and kept, so that tools which set them work.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/log_config.h"

namespace millrace::topics {

using ConfigMap = std::map<std::string, std::string>;

/// `defaults` with `explicit_settings` applied. Error: invalid_argument naming key, value, what is allowed, and the
/// nearest known key.
Result<storage::LogConfig> effective_config(const storage::LogConfig& defaults, const ConfigMap& explicit_settings);

/// Every key effective_config() takes, sorted.
std::vector<std::string> topic_config_keys();

/// What a key comes to, in Kafka's spelling ("delete", "604800000").
std::string config_value(const storage::LogConfig& config, std::string_view key);

/// The settings as text ("key=value" lines, values escaped), as they are kept with a partition, and back.
std::string serialize_config(const ConfigMap& settings);
Result<ConfigMap> parse_config(std::string_view text);

}  // namespace millrace::topics
