// The table of topic settings: one row per key drives the parser, Kafka's error texts, what DescribeConfigs answers and
// the reference page. Keys that Kafka knows but that mean nothing on one node are accepted, kept and shown, so that
// tools which set them work; their rows say so. Thread: any (immutable).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "storage/log_config.h"

namespace millrace::topics {

/// Numbered as DescribeConfigs (version 3 on) has them.
enum class ConfigType : std::int8_t { boolean = 1, string = 2, int32 = 3, int64 = 5, float64 = 6, list = 7 };

class ConfigKey {
 public:
  using LogConfig = storage::LogConfig;
  using Get = std::string (*)(const LogConfig&);
  using Set = void (*)(LogConfig&, std::string_view);
  struct Number {
    std::int64_t LogConfig::* wide = nullptr;
    std::int32_t LogConfig::* narrow = nullptr;
    double LogConfig::* real = nullptr;
    std::optional<std::int64_t> min = std::nullopt;
    std::optional<std::int64_t> max = std::nullopt;
  };
  /// One of a few words, or for lists any of them.
  struct Words {
    std::span<const std::string_view> allowed;
    Get get = nullptr;
    Set set = nullptr;
  };
  /// Kept and shown, without effect.
  struct Carried {
    std::string_view value;  // the default
    std::optional<std::int64_t> min = std::nullopt;
  };

  std::string_view name;
  std::string_view broker_name;  // the key of the default for all topics; empty: none
  ConfigType type;
  std::variant<Number, Words, Carried> place;
  std::string_view documentation;

  /// invalid_argument with Kafka's text as detail.
  Result<void> apply(LogConfig& config, std::string_view value) const;
  /// What it comes to, in Kafka's spelling ("delete", "604800000"); of a carried key its default.
  [[nodiscard]] std::string value_in(const LogConfig& config) const;
};

/// Sorted by name.
[[nodiscard]] std::span<const ConfigKey> config_keys();
/// nullptr: no such key.
[[nodiscard]] const ConfigKey* find_config_key(std::string_view name);

}  // namespace millrace::topics
