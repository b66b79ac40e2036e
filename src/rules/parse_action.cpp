// The actions of a rule out of a configuration tree: one reader per kind, named in one table.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "rules/rule_reader.h"
#include "sql/spelling.h"

namespace millrace::rules {

using config::Node;
using Kind = ActionDefinition::Kind;

Result<ActionDefinition> RuleReader::action(const Node& node, const std::string& where) const {
  struct Row {
    std::string_view name;
    Kind kind;
    Result<void> (RuleReader::*read)(const Node&, const std::string&, ActionDefinition&) const;
  };
  static constexpr std::array<Row, 5> kRows = {{
      {"kafka", Kind::kafka, &RuleReader::kafka},
      {"republish", Kind::republish, &RuleReader::republish},
      {"http", Kind::http, &RuleReader::http},
      {"webhook", Kind::webhook, &RuleReader::webhook},
      {"file", Kind::file, &RuleReader::file},
  }};
  if (node.kind != Node::Kind::map || node.entries.size() != 1) {
    return refuse(node, where, "expected an object with one action, as {kafka: {topic: ...}}");
  }
  const auto& [name, settings] = node.entries[0];
  const auto row = std::ranges::find(kRows, name, &Row::name);
  if (row == kRows.end()) {
    std::array<std::string_view, kRows.size()> names;
    std::ranges::transform(kRows, names.begin(), &Row::name);
    const std::string_view near = sql::nearest_word(name, names);
    return refuse(settings, where + "." + name,
                  fmt::format("there is no action {}; kafka, republish, http, webhook and file are{}", name,
                              near.empty() ? "" : fmt::format("; did you mean {}?", near)));
  }
  ActionDefinition out;
  out.kind = row->kind;
  MR_TRY((this->*row->read)(settings, where + "." + name, out));
  return out;
}

Result<void> RuleReader::kafka(const Node& node, const std::string& where, ActionDefinition& out) const {
  // destinationArn and clientProperties say where AWS finds the cluster; here it is the log itself, so they are read
  // past.
  MR_TRY(check_keys(node, where, {"topic", "key", "partition", "headers", "destinationArn", "clientProperties"}));
  MR_TRY(text(node, where, "topic", true, out.kafka.topic));
  MR_TRY(text(node, where, "key", false, out.kafka.key));
  MR_TRY(text(node, where, "partition", false, out.kafka.partition));
  return pairs(node, where, "headers", out.kafka.headers);
}

Result<void> RuleReader::republish(const Node& node, const std::string& where, ActionDefinition& out) const {
  MR_TRY(check_keys(node, where, {"topic", "qos", "retain", "headers", "roleArn"}));
  MR_TRY(text(node, where, "topic", true, out.republish.topic));
  MR_TRY(boolean(node, where, "retain", out.republish.retain));
  std::string qos = "0";
  MR_TRY(text(node, where, "qos", false, qos));
  if (qos != "0" && qos != "1") return refuse(*node.find("qos"), where + ".qos", "qos is 0 or 1");
  out.republish.qos = qos == "1" ? 1 : 0;
  const Node* const given = node.find("headers");
  if (given == nullptr) return {};
  const std::string path = where + ".headers";
  RepublishHeaders headers;
  MR_TRY(check_keys(*given, path,
                    {"payloadFormatIndicator", "contentType", "responseTopic", "correlationData", "messageExpiry",
                     "userProperties"}));
  MR_TRY(text(*given, path, "payloadFormatIndicator", false, headers.payload_format_indicator));
  MR_TRY(text(*given, path, "contentType", false, headers.content_type));
  MR_TRY(text(*given, path, "responseTopic", false, headers.response_topic));
  MR_TRY(text(*given, path, "correlationData", false, headers.correlation_data));
  MR_TRY(text(*given, path, "messageExpiry", false, headers.message_expiry));
  MR_TRY(pairs(*given, path, "userProperties", headers.user_properties));
  out.republish.headers = std::move(headers);
  return {};
}

Result<void> RuleReader::http(const Node& node, const std::string& where, ActionDefinition& out) const {
  // confirmationUrl and auth are AWS's own hand-shake and signature; a destination here needs neither.
  MR_TRY(check_keys(node, where,
                    {"url", "method", "headers", "key", "body", "answer", "enableBatching", "batchConfig", "timeoutMs",
                     "giveUpAfterMs", "confirmationUrl"}));
  HttpAction http;
  MR_TRY(text(node, where, "url", true, http.url));
  MR_TRY(text(node, where, "method", false, http.method));
  MR_TRY(pairs(node, where, "headers", http.headers));
  MR_TRY(text(node, where, "key", false, http.key));
  MR_TRY(text(node, where, "body", false, http.body));
  if (const Node* const answer = node.find("answer")) {
    MR_TRY(check_keys(*answer, where + ".answer", {"topic", "key"}));
    MR_TRY(text(*answer, where + ".answer", "topic", true, http.answer_topic));
    MR_TRY(text(*answer, where + ".answer", "key", false, http.answer_key));
  }
  MR_TRY(boolean(node, where, "enableBatching", http.batching));
  if (const Node* const batch = node.find("batchConfig")) {
    const std::string path = where + ".batchConfig";
    MR_TRY(check_keys(*batch, path, {"maxBatchSize", "maxBatchSizeBytes", "maxBatchOpenMs"}));
    MR_TRY(number(*batch, path, "maxBatchSize", 2, 1'000, http.max_batch_size));
    MR_TRY(number(*batch, path, "maxBatchSizeBytes", 100, 8 << 20, http.max_batch_bytes));
    MR_TRY(number(*batch, path, "maxBatchOpenMs", 0, 60'000, http.max_batch_open_ms));
  }
  MR_TRY(number(node, where, "timeoutMs", 1, 300'000, http.timeout_ms));
  MR_TRY(number(node, where, "giveUpAfterMs", 0, 31'536'000'000, http.give_up_after_ms));
  out.http = std::move(http);
  return {};
}

Result<void> RuleReader::webhook(const Node& node, const std::string& where, ActionDefinition& out) const {
  MR_TRY(check_keys(node, where, {"url", "text", "body", "headers", "key", "timeoutMs", "giveUpAfterMs"}));
  HttpAction http;
  http.give_up_after_ms = 3'600'000;  // an alert that is an hour old is none
  MR_TRY(text(node, where, "url", true, http.url));
  MR_TRY(text(node, where, "text", false, http.text));
  MR_TRY(text(node, where, "body", false, http.body));
  if (http.text.empty() == http.body.empty()) return refuse(node, where, "has either text or body");
  MR_TRY(pairs(node, where, "headers", http.headers));
  MR_TRY(text(node, where, "key", false, http.key));
  MR_TRY(number(node, where, "timeoutMs", 1, 300'000, http.timeout_ms));
  MR_TRY(number(node, where, "giveUpAfterMs", 0, 31'536'000'000, http.give_up_after_ms));
  out.http = std::move(http);
  return {};
}

Result<void> RuleReader::file(const Node& node, const std::string& where, ActionDefinition& out) const {
  MR_TRY(check_keys(node, where, {"name"}));
  FileAction file;
  MR_TRY(text(node, where, "name", true, file.name));
  out.file = std::move(file);
  return {};
}

}  // namespace millrace::rules
