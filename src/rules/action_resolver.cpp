#include "rules/action_resolver.h"

#include <charconv>

#include "codec/base64.h"
#include "model/topic_partition.h"
#include "rules/action_text.h"
#include "rules/topic_filter.h"

namespace millrace::rules {

namespace {

using Kind = ActionDefinition::Kind;

std::string_view join(sql::Arena& arena, std::initializer_list<std::string_view> parts) {
  sql::TextWriter out(arena, 128);
  for (const std::string_view part : parts) out.append(part);
  return out.finish();
}

}  // namespace

bool ActionResolver::fail(std::string_view message) {
  failure_->message = message;
  return false;
}

bool ActionResolver::text(const TemplateText& source, std::string_view what, std::string_view& out) {
  const auto resolved = source.resolve(program_, evaluation_);
  if (resolved) {
    out = *resolved;
    return true;
  }
  return fail(join(evaluation_.arena(),
                   {what, ": ", source.unresolved(program_, evaluation_), " is undefined for this message"}));
}

bool ActionResolver::resolve(RuleOutput& out, Failure& failure) {
  failure.action = failed_action_name(action_.kind);
  failure.resource = action_.topic.source();
  failure_ = &failure;
  return action_.kind == Kind::kafka ? kafka(out) : republish(out);
}

bool ActionResolver::kafka(RuleOutput& out) {
  out.kind = RuleOutput::Kind::kafka;
  if (!text(action_.topic, "topic", out.topic)) return false;
  if (!action_.topic.is_plain()) {
    failure_->resource = out.topic;
    if (!is_valid_topic_name(out.topic)) return fail("topic: not a valid Kafka topic name");
    if (out.topic.starts_with("__")) return fail("topic: topics starting with __ are internal");
  }
  if (action_.key) {
    std::string_view key;
    if (!text(*action_.key, "key", key)) return false;
    out.key = as_bytes(key);
  }
  if (action_.placement == nullptr) return true;
  if (action_.placement->partition) {
    std::string_view partition;
    if (!text(*action_.placement->partition, "partition", partition)) return false;
    std::int32_t number = 0;
    const auto read = std::from_chars(partition.data(), partition.data() + partition.size(), number);
    if (read.ec != std::errc() || read.ptr != partition.data() + partition.size() || number < 0) {
      return fail(join(evaluation_.arena(), {"partition: '", partition.substr(0, 64), "' is not a partition number"}));
    }
    out.partition = number;
  }
  const auto& from = action_.placement->headers;
  if (from.empty()) return true;
  auto* headers = evaluation_.arena().array<RecordHeader>(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::string_view key;
    std::string_view value;
    if (!text(from[i].key, "header key", key)) return false;
    if (!text(from[i].value, "header value", value)) return false;
    headers[i] = RecordHeader{key, as_bytes(value)};
  }
  out.headers = {headers, from.size()};
  return true;
}

bool ActionResolver::republish(RuleOutput& out) {
  out.kind = RuleOutput::Kind::republish;
  out.qos = action_.qos;
  out.retain = action_.retain;
  if (!text(action_.topic, "topic", out.topic)) return false;
  if (!action_.topic.is_plain()) {
    failure_->resource = out.topic;
    if (!is_publishable_topic(out.topic)) return fail("topic: not a topic to publish to");
    // Only the rule's author may reach $-topics, never a value from a payload.
    if (out.topic.front() == '$' && !action_.reserved_topic)
      return fail("topic: a topic that starts with $ is written with $$");
  }
  return action_.properties == nullptr || properties(out);
}

bool ActionResolver::properties(RuleOutput& out) {
  const CompiledProperties& from = *action_.properties;
  sql::Arena& arena = evaluation_.arena();
  auto* const to = new (arena.allocate(sizeof(PublishProperties), alignof(PublishProperties))) PublishProperties;
  if (from.payload_format_indicator) {
    std::string_view word;
    if (!text(*from.payload_format_indicator, "payloadFormatIndicator", word)) return false;
    to->utf8_payload = format_indicator(word);
    if (!to->utf8_payload) return fail(join(arena, {"payloadFormatIndicator: not ", kNoFormatIndicator}));
  }
  if (from.message_expiry) {
    std::string_view seconds;
    if (!text(*from.message_expiry, "messageExpiry", seconds)) return false;
    to->expiry_s = expiry_seconds(seconds);
    if (!to->expiry_s) return fail(join(arena, {"messageExpiry: not ", kNoExpiry}));
  }
  if (!given(from.content_type, "contentType", to->content_type)) return false;
  if (!given(from.response_topic, "responseTopic", to->response_topic)) return false;
  if (from.response_topic && !is_publishable_topic(to->response_topic)) {
    return fail("responseTopic: not a topic to publish to");
  }
  if (from.correlation_data) {
    std::string_view encoded;
    if (!text(*from.correlation_data, "correlationData", encoded)) return false;
    auto* const bytes = reinterpret_cast<std::uint8_t*>(arena.text(encoded.size()));
    const auto size = decode_base64(encoded, bytes);
    if (!size) return fail("correlationData: not base64");
    to->correlation_data = {bytes, *size};
  }
  constexpr std::size_t kMaxText = 65'535;
  if (to->content_type.size() > kMaxText || to->correlation_data.size() > kMaxText) {
    return fail("headers: a property is longer than 65535 bytes");
  }
  auto* const users = arena.array<UserProperty>(from.user_properties.size());
  for (std::size_t i = 0; i < from.user_properties.size(); ++i) {
    users[i] = {};
    if (!text(from.user_properties[i].key, "userProperties key", users[i].key)) return false;
    if (!text(from.user_properties[i].value, "userProperties value", users[i].value)) return false;
    if (users[i].key.size() > kMaxText || users[i].value.size() > kMaxText) {
      return fail("headers: a property is longer than 65535 bytes");
    }
  }
  to->user_properties = {users, from.user_properties.size()};
  out.properties = to;
  return true;
}

bool ActionResolver::resolve(std::string_view value, ResolvedRequest& out, Failure& failure) {
  failure.action = failed_action_name(action_.kind);
  failure.resource = action_.topic.source();
  failure_ = &failure;
  const CompiledRequest& from = *action_.request;
  const bool file = action_.kind == Kind::file;
  DeliveryRequest& request = out.request;
  request.kind = action_.kind;
  request.method = from.method;
  request.max_batch_size = from.max_batch_size;
  request.max_batch_bytes = from.max_batch_bytes;
  request.max_batch_open_ms = from.max_batch_open_ms;
  request.timeout_ms = from.timeout_ms;
  request.give_up_after_ms = from.give_up_after_ms;
  out.destination = from.destination;
  if (!text(action_.topic, file ? "name" : "url", request.target)) return false;
  if (!action_.topic.is_plain()) {
    failure.resource = request.target;
    if (file && !is_file_name(request.target)) return fail(join(evaluation_.arena(), {"name: ", kNoFileName}));
    if (!file && !is_url(request.target)) return fail(join(evaluation_.arena(), {"url: ", kNoUrl}));
  }
  for (const CompiledRequest::Header& header : from.headers) {
    std::string_view text_value;
    if (!text(header.value, header.name, text_value)) return false;
    if (!is_header_value(text_value)) {
      return fail(join(evaluation_.arena(), {"header ", header.name, ": holds a line end, or is too long"}));
    }
    request.headers.emplace_back(header.name, text_value);
  }
  std::string_view body = value;
  if (!given(from.body, "body", body)) return false;
  if (from.text) {
    std::string_view alert;
    if (!text(*from.text, "text", alert)) return false;
    sql::TextWriter json(evaluation_.arena(), alert.size() + 32);
    json.append("{\"text\":");
    sql::write_json_string(json, alert);
    json.push('}');
    body = json.finish();
  }
  request.body = as_bytes(body);
  const DeviceMessage& message = evaluation_.message();
  out.key = file ? request.target : message.client_id.empty() ? message.topic : message.client_id;
  if (!given(from.key, "key", out.key)) return false;
  return answer(out);
}

bool ActionResolver::answer(ResolvedRequest& out) {
  const CompiledRequest& from = *action_.request;
  if (!from.answer_topic) return true;
  if (!text(*from.answer_topic, "answer.topic", out.request.answer_topic)) return false;
  if (!is_valid_topic_name(out.request.answer_topic) || out.request.answer_topic.starts_with("__")) {
    return fail("answer.topic: not a Kafka topic name");
  }
  if (!from.answer_key) return true;
  std::string_view key;
  if (!text(*from.answer_key, "answer.key", key)) return false;
  out.request.answer_key = as_bytes(key);
  return true;
}

}  // namespace millrace::rules
