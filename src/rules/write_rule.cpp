// to_json: a rule in AWS's shape, as parse_rule reads it.
#include "rules/rule_set.h"
#include "sql/value.h"

namespace millrace::rules {

namespace {

class RuleWriter {
 public:
  RuleWriter() : arena_(4096), out_(arena_, 1024) {}

  void raw(std::string_view text) { out_.append(text); }
  void text(std::string_view key, std::string_view value) {
    name(key);
    sql::write_json_string(out_, value);
  }
  void given(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  void name(std::string_view key) {
    if (!first_) out_.push(',');
    first_ = false;
    sql::write_json_string(out_, key);
    out_.push(':');
  }
  void open(std::string_view brackets) {
    out_.append(brackets);
    first_ = true;
  }
  void close(std::string_view brackets) {
    out_.append(brackets);
    first_ = false;
  }
  void action(const ActionDefinition& action) {
    open("{");
    if (action.kind == ActionDefinition::Kind::kafka) {
      kafka(action.kafka);
    } else {
      name("republish");
      open("{");
      text("topic", action.republish.topic);
      name("qos");
      raw(action.republish.qos == 1 ? "1" : "0");
      name("retain");
      raw(action.republish.retain ? "true" : "false");
      close("}");
    }
    close("}");
  }
  std::string take() { return std::string(out_.view()); }

 private:
  void kafka(const KafkaAction& kafka) {
    name("kafka");
    open("{");
    text("topic", kafka.topic);
    given("key", kafka.key);
    given("partition", kafka.partition);
    if (!kafka.headers.empty()) {
      name("headers");
      raw("[");
      for (const KafkaAction::Header& header : kafka.headers) {
        if (&header != kafka.headers.data()) raw(",");
        open("{");
        text("key", header.key);
        text("value", header.value);
        close("}");
      }
      raw("]");
    }
    close("}");
  }

  sql::Arena arena_;
  sql::TextWriter out_;
  bool first_ = true;
};

}  // namespace

std::string to_json(const RuleDefinition& rule) {
  RuleWriter out;
  out.open("{");
  out.text("sql", rule.sql);
  out.given("description", rule.description);
  out.name("actions");
  out.raw("[");
  for (const ActionDefinition& action : rule.actions) {
    if (&action != rule.actions.data()) out.raw(",");
    out.action(action);
  }
  out.close("]");
  out.name("ruleDisabled");
  out.raw(rule.disabled ? "true" : "false");
  out.text("awsIotSqlVersion", rule.sql_version);
  if (rule.strict) {
    out.name("strictSql");
    out.raw("true");
  }
  if (rule.error_action && !rule.error_action->kafka.internal) {
    out.name("errorAction");
    out.action(*rule.error_action);
  }
  out.close("}");
  return out.take();
}

}  // namespace millrace::rules
