#include "topics/topic_config.h"

#include <fmt/format.h>

#include "config/node.h"

namespace millrace::topics {

using storage::LogConfig;

Result<LogConfig> effective_config(const LogConfig& defaults, const ConfigMap& explicit_settings) {
  LogConfig config = defaults;
  for (const auto& [name, value] : explicit_settings) {
    const ConfigKey* const key = find_config_key(name);
    if (key == nullptr) {
      const std::string near = config::nearest(name, topic_config_keys());
      return fail(ErrorCode::invalid_argument, "",
                  "Unknown topic config name: " + name + (near.empty() ? "" : ", did you mean " + near + "?"));
    }
    MR_TRY(key->apply(config, value));
  }
  if (config.min_compaction_lag_ms > config.max_compaction_lag_ms) {
    return fail(ErrorCode::invalid_argument, "",
                fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
                            config.min_compaction_lag_ms, config.max_compaction_lag_ms));
  }
  return config;
}

std::vector<std::string> topic_config_keys() {
  std::vector<std::string> keys;
  for (const ConfigKey& key : config_keys()) keys.emplace_back(key.name);
  return keys;
}

std::string config_value(const LogConfig& config, std::string_view name) {
  const ConfigKey* const key = find_config_key(name);
  return key == nullptr ? std::string() : key->value_in(config);
}

ConfigEntry describe_config(const ConfigKey& key, const LogConfig& defaults, const ConfigMap& explicit_settings) {
  if (const auto set = explicit_settings.find(std::string(key.name)); set != explicit_settings.end()) {
    return {&key, set->second, ConfigSource::dynamic_topic};
  }
  std::string value = key.value_in(defaults);
  const bool configured = value != key.value_in(LogConfig{});
  return {&key, std::move(value), configured ? ConfigSource::static_broker : ConfigSource::builtin};
}

std::vector<ConfigEntry> describe_config(const LogConfig& defaults, const ConfigMap& explicit_settings) {
  std::vector<ConfigEntry> entries;
  entries.reserve(config_keys().size());
  for (const ConfigKey& key : config_keys()) entries.push_back(describe_config(key, defaults, explicit_settings));
  return entries;
}

std::string serialize_config(const ConfigMap& settings) {
  std::string text;
  for (const auto& [key, value] : settings) {
    text += key;
    text += '=';
    for (const char c : value) {
      if (c == '\\') {
        text += "\\\\";
      } else if (c == '\n') {
        text += "\\n";
      } else {
        text += c;
      }
    }
    text += '\n';
  }
  return text;
}

Result<ConfigMap> parse_config(std::string_view text) {
  ConfigMap settings;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) {
      return fail(ErrorCode::corrupt, "topic settings kept with a partition", std::string(line));
    }
    std::string value;
    for (std::size_t i = equals + 1; i < line.size(); ++i) {
      if (line[i] == '\\' && i + 1 < line.size()) {
        ++i;
        value += line[i] == 'n' ? '\n' : line[i];
      } else {
        value += line[i];
      }
    }
    settings.emplace(line.substr(0, equals), std::move(value));
  }
  return settings;
}

}  // namespace millrace::topics
