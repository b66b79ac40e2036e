// parse_rule: AWS's topic-rule objects out of a configuration tree. Every error names rule, key and line, and the
// nearest known key. Actions: parse_action.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "config/quantity.h"
#include "rules/rule_reader.h"
#include "rules/rule_set.h"
#include "sql/spelling.h"

namespace millrace::rules {

using config::Node;

std::unexpected<Error> RuleReader::refuse(const Node& node, std::string_view key, std::string_view what) const {
  return fail(ErrorCode::invalid_argument, "rule", fmt::format("{}: {} (line {}): {}", rule_, key, node.line, what));
}

Result<void> RuleReader::check_keys(const Node& node, const std::string& where,
                                    std::initializer_list<std::string_view> known) const {
  if (node.kind != Node::Kind::map) return refuse(node, where, "expected an object");
  for (const auto& [key, value] : node.entries) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string_view near = sql::nearest_word(key, {known.begin(), known.size()});
    return refuse(value, where.empty() ? key : where + "." + key,
                  near.empty() ? std::string("unknown key") : fmt::format("unknown key; did you mean {}?", near));
  }
  return {};
}

Result<void> RuleReader::text(const Node& map, const std::string& where, const char* key, bool required,
                              std::string& out) const {
  const Node* node = map.find(key);
  const std::string path = where.empty() ? key : where + "." + key;
  if (node == nullptr) {
    if (required) return refuse(map, path, "is missing");
    return {};
  }
  if (node->kind != Node::Kind::scalar) return refuse(*node, path, "expected text");
  if (required && node->text.empty()) return refuse(*node, path, "is empty");
  out = node->text;
  return {};
}

Result<void> RuleReader::boolean(const Node& map, const std::string& where, const char* key, bool& out) const {
  const Node* node = map.find(key);
  if (node == nullptr) return {};
  if (node->kind != Node::Kind::scalar || (node->text != "true" && node->text != "false")) {
    return refuse(*node, where.empty() ? key : where + "." + key, "expected true or false");
  }
  out = node->text == "true";
  return {};
}

Result<void> RuleReader::whole_number(const Node& map, const std::string& where, const char* key, std::int64_t min,
                                      std::int64_t max, std::int64_t& out) const {
  const Node* node = map.find(key);
  if (node == nullptr) return {};
  const auto value = config::parse_integer(node->text);
  if (node->kind != Node::Kind::scalar || !value || *value < min || *value > max) {
    return refuse(*node, where + "." + key, fmt::format("expected a whole number from {} to {}", min, max));
  }
  out = *value;
  return {};
}

Result<void> RuleReader::pairs(const Node& map, const std::string& where, const char* key,
                               std::vector<NamedText>& out) const {
  const Node* list = map.find(key);
  if (list == nullptr) return {};
  if (list->kind != Node::Kind::sequence) return refuse(*list, where + "." + key, "expected a list of {key, value}");
  constexpr std::size_t kMost = 100;
  if (list->items.size() > kMost) return refuse(*list, where + "." + key, fmt::format("more than 100 {}", key));
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Node& item = list->items[i];
    const std::string path = fmt::format("{}.{}[{}]", where, key, i);
    NamedText pair;
    MR_TRY(check_keys(item, path, {"key", "value"}));
    MR_TRY(text(item, path, "key", true, pair.key));
    MR_TRY(text(item, path, "value", false, pair.value));
    if (item.find("value") == nullptr) return refuse(item, path + ".value", "is missing");
    out.push_back(std::move(pair));
  }
  return {};
}

Result<RuleDefinition> parse_rule(std::string_view name, const Node& node) {
  const RuleReader reader(name);
  MR_TRY(reader.check_keys(node, "",
                           {"sql", "actions", "errorAction", "ruleDisabled", "awsIotSqlVersion", "description",
                            "strictSql", "unresolvedTemplates"}));
  RuleDefinition out;
  out.name = std::string(name);
  out.line = node.line;
  MR_TRY(reader.text(node, "", "sql", true, out.sql));
  MR_TRY(reader.text(node, "", "description", false, out.description));
  MR_TRY(reader.text(node, "", "awsIotSqlVersion", false, out.sql_version));
  MR_TRY(reader.boolean(node, "", "ruleDisabled", out.disabled));
  MR_TRY(reader.boolean(node, "", "strictSql", out.strict));
  std::string templates = "fail";
  MR_TRY(reader.text(node, "", "unresolvedTemplates", false, templates));
  if (templates != "fail" && templates != "empty") {
    return reader.refuse(*node.find("unresolvedTemplates"), "unresolvedTemplates", "is fail or empty");
  }
  out.empty_templates = templates == "empty";
  const Node* actions = node.find("actions");
  if (actions == nullptr) return reader.refuse(node, "actions", "is missing");
  if (actions->kind != Node::Kind::sequence) return reader.refuse(*actions, "actions", "expected a list of actions");
  for (std::size_t i = 0; i < actions->items.size(); ++i) {
    MR_TRY_ASSIGN(ActionDefinition action, reader.action(actions->items[i], fmt::format("actions[{}]", i)));
    out.actions.push_back(std::move(action));
  }
  if (const Node* error_action = node.find("errorAction")) {
    MR_TRY_ASSIGN(out.error_action, reader.action(*error_action, "errorAction"));
  }
  return out;
}

}  // namespace millrace::rules
