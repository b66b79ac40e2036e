#include "topics/topic_config.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "config/node.h"

namespace millrace::topics {
namespace {

using storage::LogConfig;

constexpr std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMax32 = std::numeric_limits<std::int32_t>::max();

struct NumberRow {
  std::string_view key;
  std::int64_t LogConfig::* wide;
  std::int32_t LogConfig::* narrow;
  std::int64_t min;
  std::int64_t max;
};

constexpr NumberRow kNumbers[] = {
    {"retention.ms", &LogConfig::retention_ms, nullptr, -1, kMax64},
    {"retention.bytes", &LogConfig::retention_bytes, nullptr, -1, kMax64},
    {"segment.bytes", &LogConfig::segment_bytes, nullptr, 1024, kMax32},
    {"segment.ms", &LogConfig::segment_ms, nullptr, 1, kMax64},
    {"index.interval.bytes", nullptr, &LogConfig::index_interval_bytes, 0, kMax32},
    {"max.message.bytes", nullptr, &LogConfig::max_message_bytes, 0, kMax32},
    {"flush.messages", &LogConfig::flush_messages, nullptr, 1, kMax64},
    {"file.delete.delay.ms", &LogConfig::file_delete_delay_ms, nullptr, 0, kMax64},
};

// Known to Kafka, without effect on one node or not yet in effect here: taken, kept and shown, never refused.
constexpr std::string_view kCarried[] = {
    "compression.type",
    "delete.retention.ms",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "max.compaction.lag.ms",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "segment.index.bytes",
    "segment.jitter.ms",
    "unclean.leader.election.enable",
};

std::unexpected<Error> refuse(std::string_view key, std::string_view value, std::string_view allowed) {
  return fail(ErrorCode::invalid_argument, "Invalid value for topic configuration",
              std::string(key) + "=" + std::string(value) + ", allowed: " + std::string(allowed));
}

Result<void> apply_cleanup_policy(LogConfig& config, std::string_view value) {
  config.compact = false;
  config.delete_old = false;
  const std::string_view whole = value;
  while (true) {
    const auto comma = value.find(',');
    std::string_view part = value.substr(0, comma);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (part == "delete") {
      config.delete_old = true;
    } else if (part == "compact") {
      config.compact = true;
    } else {
      return refuse("cleanup.policy", whole, "delete, compact, or both");
    }
    if (comma == std::string_view::npos) return {};
    value.remove_prefix(comma + 1);
  }
}

Result<void> apply(LogConfig& config, std::string_view key, std::string_view value) {
  for (const NumberRow& row : kNumbers) {
    if (row.key != key) continue;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || number < row.min || number > row.max) {
      return refuse(key, value, std::to_string(row.min) + " to " + std::to_string(row.max));
    }
    if (row.wide != nullptr) {
      config.*row.wide = number;
    } else {
      config.*row.narrow = static_cast<std::int32_t>(number);
    }
    return {};
  }
  if (key == "cleanup.policy") return apply_cleanup_policy(config, value);
  if (key == "message.timestamp.type") {
    if (value != "CreateTime" && value != "LogAppendTime") return refuse(key, value, "CreateTime, LogAppendTime");
    config.log_append_time = value == "LogAppendTime";
    return {};
  }
  if (std::ranges::find(kCarried, key) != std::end(kCarried)) return {};
  const std::string near = config::nearest(key, topic_config_keys());
  return fail(ErrorCode::invalid_argument, "Unknown topic config name",
              std::string(key) + (near.empty() ? "" : ", did you mean " + near + "?"));
}

}  // namespace

Result<LogConfig> effective_config(const LogConfig& defaults, const ConfigMap& explicit_settings) {
  LogConfig config = defaults;
  for (const auto& [key, value] : explicit_settings) MR_TRY(apply(config, key, value));
  return config;
}

std::vector<std::string> topic_config_keys() {
  std::vector<std::string> keys{"cleanup.policy", "message.timestamp.type"};
  for (const NumberRow& row : kNumbers) keys.emplace_back(row.key);
  for (const std::string_view key : kCarried) keys.emplace_back(key);
  std::ranges::sort(keys);
  return keys;
}

std::string config_value(const LogConfig& config, std::string_view key) {
  for (const NumberRow& row : kNumbers) {
    if (row.key == key) return std::to_string(row.wide != nullptr ? config.*row.wide : config.*row.narrow);
  }
  if (key == "cleanup.policy") {
    if (config.compact) return config.delete_old ? "compact,delete" : "compact";
    return "delete";
  }
  if (key == "message.timestamp.type") return config.log_append_time ? "LogAppendTime" : "CreateTime";
  return {};
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
