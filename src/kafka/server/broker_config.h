// BrokerConfig: the program's settings as DescribeConfigs shows them for the broker. They come from the file and the
// command line and are read at start, so every one is read-only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::kafka {

/// DescribeConfigs, ConfigType.
enum class ConfigType : std::int8_t {
  unknown = 0,
  boolean = 1,
  string = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  float64 = 6,
  list = 7,
  class_name = 8,
  password = 9,
};

struct BrokerConfigEntry {
  std::string name;
  std::optional<std::string> value;  // never of a sensitive one
  std::optional<std::string> default_value;
  ConfigType type = ConfigType::string;
  std::string documentation;
  bool sensitive = false;
  [[nodiscard]] bool is_default() const { return value == default_value; }
};

/// Sorted by name.
using BrokerConfig = std::vector<BrokerConfigEntry>;

[[nodiscard]] inline const BrokerConfigEntry* find_entry(const BrokerConfig& config, std::string_view name) {
  const auto at = std::ranges::lower_bound(config, name, {}, &BrokerConfigEntry::name);
  return at != config.end() && at->name == name ? &*at : nullptr;
}

}  // namespace millrace::kafka
