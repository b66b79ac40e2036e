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
    switch (action.kind) {
      case ActionDefinition::Kind::kafka:
        kafka(action.kafka);
        break;
      case ActionDefinition::Kind::republish:
        republish(action.republish);
        break;
      case ActionDefinition::Kind::http:
        http("http", *action.http);
        break;
      case ActionDefinition::Kind::webhook:
        http("webhook", *action.http);
        break;
      case ActionDefinition::Kind::file:
        name("file");
        open("{");
        text("name", action.file->name);
        close("}");
        break;
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
    pairs("headers", kafka.headers);
    close("}");
  }
  void pairs(std::string_view key, const std::vector<NamedText>& all) {
    if (all.empty()) return;
    name(key);
    raw("[");
    for (const NamedText& one : all) {
      if (&one != all.data()) raw(",");
      open("{");
      text("key", one.key);
      text("value", one.value);
      close("}");
    }
    raw("]");
  }
  void number(std::string_view key, std::int64_t value) {
    name(key);
    raw(std::to_string(value));
  }
  void republish(const RepublishAction& republish) {
    name("republish");
    open("{");
    text("topic", republish.topic);
    number("qos", republish.qos);
    name("retain");
    raw(republish.retain ? "true" : "false");
    if (republish.headers) {
      const RepublishHeaders& headers = *republish.headers;
      name("headers");
      open("{");
      given("payloadFormatIndicator", headers.payload_format_indicator);
      given("contentType", headers.content_type);
      given("responseTopic", headers.response_topic);
      given("correlationData", headers.correlation_data);
      given("messageExpiry", headers.message_expiry);
      pairs("userProperties", headers.user_properties);
      close("}");
    }
    close("}");
  }
  void http(std::string_view kind, const HttpAction& http) {
    const HttpAction standard;
    const bool alert = kind == "webhook";
    name(kind);
    open("{");
    text("url", http.url);
    if (!alert) text("method", http.method);
    pairs("headers", http.headers);
    given("key", http.key);
    given("body", http.body);
    given("text", http.text);
    if (!http.answer_topic.empty()) {
      name("answer");
      open("{");
      text("topic", http.answer_topic);
      given("key", http.answer_key);
      close("}");
    }
    if (http.batching) {
      name("enableBatching");
      raw("true");
    }
    if (http.max_batch_size != standard.max_batch_size || http.max_batch_bytes != standard.max_batch_bytes ||
        http.max_batch_open_ms != standard.max_batch_open_ms) {
      name("batchConfig");
      open("{");
      number("maxBatchSize", http.max_batch_size);
      number("maxBatchSizeBytes", http.max_batch_bytes);
      if (http.max_batch_open_ms != standard.max_batch_open_ms) number("maxBatchOpenMs", http.max_batch_open_ms);
      close("}");
    }
    if (http.timeout_ms != standard.timeout_ms) number("timeoutMs", http.timeout_ms);
    number("giveUpAfterMs", http.give_up_after_ms);
    close("}");
  }

  sql::Arena arena_;
  sql::TextWriter out_;
  bool first_ = true;
};

}  // namespace

std::string to_json(const RuleDefinition& rule, bool brief) {
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
  if (!brief || rule.disabled) {
    out.name("ruleDisabled");
    out.raw(rule.disabled ? "true" : "false");
  }
  if (!brief || rule.sql_version != RuleDefinition().sql_version) out.text("awsIotSqlVersion", rule.sql_version);
  if (rule.strict) {
    out.name("strictSql");
    out.raw("true");
  }
  if (rule.empty_templates) out.text("unresolvedTemplates", "empty");
  if (rule.error_action && !rule.error_action->kafka.internal) {
    out.name("errorAction");
    out.action(*rule.error_action);
  }
  out.close("}");
  return out.take();
}

}  // namespace millrace::rules
