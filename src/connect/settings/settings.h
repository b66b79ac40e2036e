// Settings: a connector's configuration read against its table of keys: every value is there (its own or the standard
// one), of the right type and inside its bounds, or check() has said what is wrong in Kafka's words.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connect/settings/config_key.h"

namespace millrace::connect {

/// One value per row of the table, in its order, with what is wrong about it.
std::vector<ConfigValue> check(const ConfigTable& table, const ConnectorConfig& config);

/// What check() says of a required key that is not given.
std::string missing_value(std::string_view key);

/// All errors of check(), in order.
std::vector<std::string> errors_of(const std::vector<ConfigValue>& values);

class Settings {
 public:
  Settings() = default;
  /// `table` is copied; `config` has passed check(), with references of config providers resolved.
  Settings(ConfigTable table, ConnectorConfig config) : table_(std::move(table)), config_(std::move(config)) {}

  /// The value as text; empty when there is none.
  [[nodiscard]] std::string text(std::string_view key) const;
  /// In lower case, for choices.
  [[nodiscard]] std::string choice(std::string_view key) const;
  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] std::int64_t number(std::string_view key) const;
  [[nodiscard]] std::chrono::milliseconds ms(std::string_view key) const;
  /// Split at commas, trimmed.
  [[nodiscard]] std::vector<std::string> list(std::string_view key) const;
  /// Whether the configuration itself names the key.
  [[nodiscard]] bool names(std::string_view key) const { return config_.find(key) != config_.end(); }
  [[nodiscard]] const ConnectorConfig& config() const { return config_; }
  /// Only the keys behind `prefix`, without it, against another table (a converter's, a transformation's).
  [[nodiscard]] Settings part(std::string_view prefix, ConfigTable table) const;

 private:
  ConfigTable table_;
  ConnectorConfig config_;
};

std::vector<std::string> split_list(std::string_view text);
std::string lower_case(std::string_view text);

}  // namespace millrace::connect
