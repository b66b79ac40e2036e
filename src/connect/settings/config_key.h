// ConfigKey: one row of a connector's settings, in the terms of Kafka's ConfigDef. The row is the only place a key is
// declared: reading, checking, error texts, validate answers and the reference page come from it. Rows are constants.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::connect {

/// A connector's configuration as submitted: flat, text to text.
using ConnectorConfig = std::map<std::string, std::string, std::less<>>;

enum class KeyType : std::uint8_t { boolean, string, integer, long_integer, real, list, class_name, password };
enum class Importance : std::uint8_t { high, medium, low };

inline constexpr std::int64_t kNoMinimum = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kNoMaximum = std::numeric_limits<std::int64_t>::max();

/// A value that Kafka Connect's own connectors take and this one does not, and what to do instead.
struct RefusedValue {
  std::string_view value;
  std::string_view why;
};

struct ConfigKey {
  std::string_view name;
  KeyType type = KeyType::string;
  /// Text of the value when the key is missing. Without one the key is `required`, or may be missing.
  std::optional<std::string_view> standard = std::nullopt;
  bool required = false;
  Importance importance = Importance::medium;
  std::string_view group = "Common";
  std::string_view documentation = "";
  std::int64_t min = kNoMinimum;
  std::int64_t max = kNoMaximum;
  std::string_view choices = "";  // "none, gzip": allowed values, compared without case when `any_case`
  bool any_case = false;
  bool not_empty = false;
  std::span<const RefusedValue> refused{};
  std::string_view display_name = "";  // empty: the name
};

using ConfigRows = std::span<const ConfigKey>;

/// One key of a validate answer.
struct ConfigValue {
  std::string name;
  std::optional<std::string> value;
  std::vector<std::string> errors;
};

/// "STRING", as Connect's REST interface names the type.
std::string_view to_string(KeyType type);
std::string_view to_string(Importance importance);

/// Several tables one behind the other, as one list of keys. A later row of the same name replaces the earlier one.
class ConfigTable {
 public:
  ConfigTable& add(ConfigRows rows);
  /// A row whose name is made at run time ("transforms.day.topic.format"): `prefix` goes in front of every name.
  ConfigTable& add(std::string_view prefix, ConfigRows rows, std::string_view group);
  [[nodiscard]] const std::vector<ConfigKey>& rows() const { return rows_; }
  [[nodiscard]] const ConfigKey* find(std::string_view name) const;

 private:
  void put(ConfigKey row);
  std::vector<ConfigKey> rows_;
  std::vector<std::shared_ptr<const std::string>> names_;  // what rows made at run time point to
};

}  // namespace millrace::connect
