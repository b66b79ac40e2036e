// parse_rule: AWS's topic-rule objects out of a configuration tree. Every error names rule, key and line, and the
// nearest known key.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "rules/rule_set.h"
#include "sql/spelling.h"

namespace millrace::rules {

namespace {

using config::Node;

class RuleReader {
 public:
  explicit RuleReader(std::string_view rule) : rule_(rule) {}

  std::unexpected<Error> refuse(const Node& node, std::string_view key, std::string_view what) const {
    return fail(ErrorCode::invalid_argument, "rule", fmt::format("{}: {} (line {}): {}", rule_, key, node.line, what));
  }

  Result<void> check_keys(const Node& node, const std::string& where,
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

  Result<void> text(const Node& map, const std::string& where, const char* key, bool required, std::string& out) const {
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

  Result<void> boolean(const Node& map, const std::string& where, const char* key, bool& out) const {
    const Node* node = map.find(key);
    if (node == nullptr) return {};
    if (node->kind != Node::Kind::scalar || (node->text != "true" && node->text != "false")) {
      return refuse(*node, where.empty() ? key : where + "." + key, "expected true or false");
    }
    out = node->text == "true";
    return {};
  }

  Result<ActionDefinition> action(const Node& node, const std::string& where) const {
    static constexpr std::array<std::string_view, 2> kActions = {"kafka", "republish"};
    if (node.kind != Node::Kind::map || node.entries.size() != 1) {
      return refuse(node, where, "expected an object with one action, as {kafka: {topic: ...}}");
    }
    const auto& [name, settings] = node.entries[0];
    if (name != "kafka" && name != "republish") {
      const std::string_view near = sql::nearest_word(name, kActions);
      return refuse(settings, where + "." + name,
                    fmt::format("there is no action {}; kafka and republish are{}", name,
                                near.empty() ? "" : fmt::format("; did you mean {}?", near)));
    }
    ActionDefinition out;
    const std::string path = where + "." + name;
    if (name == "kafka") {
      MR_TRY(kafka(settings, path, out.kafka));
    } else {
      out.kind = ActionDefinition::Kind::republish;
      MR_TRY(republish(settings, path, out.republish));
    }
    return out;
  }

 private:
  Result<void> kafka(const Node& node, const std::string& where, KafkaAction& out) const {
    // destinationArn and clientProperties say where AWS finds the cluster; here it is the log itself, so they are read
    // past.
    MR_TRY(check_keys(node, where, {"topic", "key", "partition", "headers", "destinationArn", "clientProperties"}));
    MR_TRY(text(node, where, "topic", true, out.topic));
    MR_TRY(text(node, where, "key", false, out.key));
    MR_TRY(text(node, where, "partition", false, out.partition));
    const Node* headers = node.find("headers");
    if (headers == nullptr) return {};
    if (headers->kind != Node::Kind::sequence)
      return refuse(*headers, where + ".headers", "expected a list of {key, value}");
    constexpr std::size_t kMaxHeaders = 100;
    if (headers->items.size() > kMaxHeaders) return refuse(*headers, where + ".headers", "more than 100 headers");
    for (std::size_t i = 0; i < headers->items.size(); ++i) {
      const Node& item = headers->items[i];
      const std::string path = fmt::format("{}.headers[{}]", where, i);
      KafkaAction::Header header;
      MR_TRY(check_keys(item, path, {"key", "value"}));
      MR_TRY(text(item, path, "key", true, header.key));
      MR_TRY(text(item, path, "value", false, header.value));
      if (item.find("value") == nullptr) return refuse(item, path + ".value", "is missing");
      out.headers.push_back(std::move(header));
    }
    return {};
  }

  Result<void> republish(const Node& node, const std::string& where, RepublishAction& out) const {
    MR_TRY(check_keys(node, where, {"topic", "qos", "retain", "roleArn"}));
    MR_TRY(text(node, where, "topic", true, out.topic));
    MR_TRY(boolean(node, where, "retain", out.retain));
    std::string qos = "0";
    MR_TRY(text(node, where, "qos", false, qos));
    if (qos != "0" && qos != "1") return refuse(*node.find("qos"), where + ".qos", "qos is 0 or 1");
    out.qos = qos == "1" ? 1 : 0;
    return {};
  }

  std::string_view rule_;
};

}  // namespace

Result<RuleDefinition> parse_rule(std::string_view name, const config::Node& node) {
  const RuleReader reader(name);
  MR_TRY(reader.check_keys(
      node, "", {"sql", "actions", "errorAction", "ruleDisabled", "awsIotSqlVersion", "description", "strictSql"}));
  RuleDefinition out;
  out.name = std::string(name);
  out.line = node.line;
  MR_TRY(reader.text(node, "", "sql", true, out.sql));
  MR_TRY(reader.text(node, "", "description", false, out.description));
  MR_TRY(reader.text(node, "", "awsIotSqlVersion", false, out.sql_version));
  MR_TRY(reader.boolean(node, "", "ruleDisabled", out.disabled));
  MR_TRY(reader.boolean(node, "", "strictSql", out.strict));
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
