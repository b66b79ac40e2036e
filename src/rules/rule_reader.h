// RuleReader: takes members out of the configuration tree of one rule. Every error names rule, key and line, and the
// nearest known key. Private to parse_rule.cpp and parse_action.cpp.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/node.h"
#include "rules/action.h"

namespace millrace::rules {

class RuleReader {
 public:
  explicit RuleReader(std::string_view rule) : rule_(rule) {}

  [[nodiscard]] std::unexpected<Error> refuse(const config::Node& node, std::string_view key,
                                              std::string_view what) const;
  Result<void> check_keys(const config::Node& node, const std::string& where,
                          std::initializer_list<std::string_view> known) const;
  Result<void> text(const config::Node& map, const std::string& where, const char* key, bool required,
                    std::string& out) const;
  Result<void> boolean(const config::Node& map, const std::string& where, const char* key, bool& out) const;
  /// A whole number from `min` to `max`; `out` stays when the key is missing.
  template <class T>
  Result<void> number(const config::Node& map, const std::string& where, const char* key, std::int64_t min,
                      std::int64_t max, T& out) const {
    std::int64_t value = out;
    MR_TRY(whole_number(map, where, key, min, max, value));
    out = static_cast<T>(value);
    return {};
  }
  /// A list of {key, value}.
  Result<void> pairs(const config::Node& map, const std::string& where, const char* key,
                     std::vector<NamedText>& out) const;

  /// {kafka: {...}} and its like.
  Result<ActionDefinition> action(const config::Node& node, const std::string& where) const;

 private:
  Result<void> whole_number(const config::Node& map, const std::string& where, const char* key, std::int64_t min,
                            std::int64_t max, std::int64_t& out) const;
  Result<void> kafka(const config::Node& node, const std::string& where, ActionDefinition& out) const;
  Result<void> republish(const config::Node& node, const std::string& where, ActionDefinition& out) const;
  Result<void> http(const config::Node& node, const std::string& where, ActionDefinition& out) const;
  Result<void> webhook(const config::Node& node, const std::string& where, ActionDefinition& out) const;
  Result<void> file(const config::Node& node, const std::string& where, ActionDefinition& out) const;

  std::string_view rule_;
};

}  // namespace millrace::rules
