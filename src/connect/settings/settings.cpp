#include "connect/settings/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace millrace::connect {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

template <class T>
bool parse(std::string_view text, T& value) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// The words are those of org.apache.kafka.common.config.ConfigDef, which users search for.
std::string invalid(const ConfigKey& row, std::string_view value, std::string_view why) {
  return fmt::format("Invalid value {} for configuration {}: {}", value, row.name, why);
}

void check_number(const ConfigKey& row, const std::string& value, std::vector<std::string>& errors) {
  std::int64_t number = 0;
  if (row.type == KeyType::real) {
    double real = 0;
    if (!parse(value, real)) errors.push_back(invalid(row, value, "Not a number of type DOUBLE"));
    return;
  }
  const bool fits = parse(value, number) &&
                    (row.type == KeyType::long_integer || (number >= std::numeric_limits<std::int32_t>::min() &&
                                                           number <= std::numeric_limits<std::int32_t>::max()));
  if (!fits) {
    errors.push_back(invalid(row, value, fmt::format("Not a number of type {}", to_string(row.type))));
  } else if (number < row.min) {
    errors.push_back(invalid(row, value, fmt::format("Value must be at least {}", row.min)));
  } else if (number > row.max) {
    errors.push_back(invalid(row, value, fmt::format("Value must be no more than {}", row.max)));
  }
}

void check_choice(const ConfigKey& row, const std::string& value, std::vector<std::string>& errors) {
  if (row.choices.empty()) return;
  const auto allowed = split_list(row.choices);
  const bool known = std::ranges::any_of(allowed, [&](const std::string& choice) {
    return row.any_case ? lower_case(choice) == lower_case(value) : choice == value;
  });
  if (known) return;
  errors.push_back(invalid(
      row, value,
      fmt::format("String must be one of{}: {}", row.any_case ? " (case insensitive)" : "", fmt::join(allowed, ", "))));
}

void check_value(const ConfigKey& row, const std::string& value, std::vector<std::string>& errors) {
  const auto refused = std::ranges::find(row.refused, lower_case(trimmed(value)),
                                         [](const RefusedValue& one) { return lower_case(one.value); });
  if (refused != row.refused.end()) {
    errors.push_back(invalid(row, value, refused->why));
    return;
  }
  switch (row.type) {
    case KeyType::boolean: {
      const std::string word = lower_case(trimmed(value));
      if (word != "true" && word != "false") {
        errors.push_back(invalid(row, value, "Expected value to be either true or false"));
      }
      return;
    }
    case KeyType::integer:
    case KeyType::long_integer:
    case KeyType::real:
      return check_number(row, value, errors);
    case KeyType::list:
      if (row.not_empty && split_list(value).empty()) errors.push_back(invalid(row, value, "Empty list"));
      return;
    case KeyType::string:
    case KeyType::class_name:
    case KeyType::password:
      break;
  }
  if (row.not_empty && trimmed(value).empty()) errors.push_back(invalid(row, value, "String must be non-empty"));
  check_choice(row, value, errors);
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!trimmed(text).empty()) {
    const auto comma = text.find(',');
    items.emplace_back(trimmed(text.substr(0, comma)));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return items;
}

std::vector<ConfigValue> check(const ConfigTable& table, const ConnectorConfig& config) {
  std::vector<ConfigValue> values;
  for (const ConfigKey& row : table.rows()) {
    ConfigValue& value = values.emplace_back(ConfigValue{std::string(row.name), std::nullopt, {}});
    const auto given = config.find(row.name);
    if (given != config.end()) {
      value.value = row.type == KeyType::string ? given->second : std::string(trimmed(given->second));
      check_value(row, given->second, value.errors);
    } else if (row.standard) {
      value.value = std::string(*row.standard);
    } else if (row.required) {
      value.errors.push_back(missing_value(row.name));
    }
  }
  return values;
}

std::string missing_value(std::string_view key) {
  return fmt::format("Missing required configuration \"{}\" which has no default value.", key);
}

std::vector<std::string> errors_of(const std::vector<ConfigValue>& values) {
  std::vector<std::string> all;
  for (const ConfigValue& value : values) all.insert(all.end(), value.errors.begin(), value.errors.end());
  return all;
}

std::string Settings::text(std::string_view key) const {
  if (const auto given = config_.find(key); given != config_.end()) return given->second;
  const ConfigKey* row = table_.find(key);
  return row != nullptr && row->standard ? std::string(*row->standard) : std::string();
}

std::string Settings::choice(std::string_view key) const {
  return lower_case(trimmed(text(key)));
}

bool Settings::flag(std::string_view key) const {
  return choice(key) == "true";
}

std::int64_t Settings::number(std::string_view key) const {
  std::int64_t value = 0;
  parse(text(key), value);
  return value;
}

std::chrono::milliseconds Settings::ms(std::string_view key) const {
  return std::chrono::milliseconds(number(key));
}

std::vector<std::string> Settings::list(std::string_view key) const {
  return split_list(text(key));
}

Settings Settings::part(std::string_view prefix, ConfigTable table) const {
  ConnectorConfig inner;
  for (const auto& [name, value] : config_) {
    if (name.starts_with(prefix)) inner.emplace(name.substr(prefix.size()), value);
  }
  return {std::move(table), std::move(inner)};
}

}  // namespace millrace::connect
