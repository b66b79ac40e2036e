#include "connect/settings/config_key.h"

#include <algorithm>

namespace millrace::connect {
std::string_view to_string(KeyType type) {
  switch (type) {
    case KeyType::boolean:
      return "BOOLEAN";
    case KeyType::string:
      return "STRING";
    case KeyType::integer:
      return "INT";
    case KeyType::long_integer:
      return "LONG";
    case KeyType::real:
      return "DOUBLE";
    case KeyType::list:
      return "LIST";
    case KeyType::class_name:
      return "CLASS";
    case KeyType::password:
      return "PASSWORD";
  }
  return "STRING";
}

std::string_view to_string(Importance importance) {
  switch (importance) {
    case Importance::high:
      return "HIGH";
    case Importance::medium:
      return "MEDIUM";
    case Importance::low:
      return "LOW";
  }
  return "LOW";
}

void ConfigTable::put(ConfigKey row) {
  const auto same = std::ranges::find(rows_, row.name, &ConfigKey::name);
  if (same != rows_.end()) {
    *same = row;
  } else {
    rows_.push_back(row);
  }
}

ConfigTable& ConfigTable::add(ConfigRows rows) {
  for (const ConfigKey& row : rows) put(row);
  return *this;
}

ConfigTable& ConfigTable::add(std::string_view prefix, ConfigRows rows, std::string_view group) {
  const auto keep = [this](std::string text) -> std::string_view {
    return *names_.emplace_back(std::make_shared<const std::string>(std::move(text)));
  };
  const std::string_view kept_group = keep(std::string(group));
  for (ConfigKey row : rows) {
    row.name = keep(std::string(prefix) + std::string(row.name));
    row.group = kept_group;
    put(row);
  }
  return *this;
}

const ConfigKey* ConfigTable::find(std::string_view name) const {
  const auto row = std::ranges::find(rows_, name, &ConfigKey::name);
  return row == rows_.end() ? nullptr : &*row;
}

}  // namespace millrace::connect
