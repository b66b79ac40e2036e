#include "connect/settings/unknown_keys.h"

#include "sql/spelling.h"

namespace millrace::connect {

std::vector<UnknownKey> unknown_keys(const ConfigTable& known, const ConnectorConfig& config) {
  std::vector<std::string_view> names;
  for (const ConfigKey& row : known.rows()) names.push_back(row.name);
  std::vector<UnknownKey> unknown;
  for (const auto& [key, value] : config) {
    if (known.find(key) == nullptr) unknown.push_back({key, std::string(sql::nearest_word(key, names))});
  }
  return unknown;
}

}  // namespace millrace::connect
