#include "rules/action_compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "codec/base64.h"
#include "model/topic_partition.h"
#include "rules/action_text.h"
#include "rules/delivery.h"
#include "rules/topic_filter.h"

namespace millrace::rules {

namespace {

using Kind = ActionDefinition::Kind;

constexpr std::array<std::string_view, 5> kMethods = {"GET", "POST", "PUT", "PATCH", "DELETE"};

/// Scheme, host and port of a URL; empty when an expression may change them.
std::string_view origin_of(std::string_view url) {
  const std::size_t host = url.find("://") + 3;
  const std::size_t end = url.find_first_of("/?#", host);
  const std::size_t expression = url.find("${");
  if (expression != std::string_view::npos && (end == std::string_view::npos || expression < end)) return {};
  return url.substr(0, end);
}

}  // namespace

std::unexpected<Error> at_key(const RuleDefinition& rule, std::string_view key, std::string_view what) {
  const std::string line = rule.line > 0 ? fmt::format(" (line {})", rule.line) : std::string();
  return fail(ErrorCode::invalid_argument, "rule", fmt::format("{}{}: {}: {}", rule.name, line, key, what));
}

Result<CompiledAction> ActionCompiler::compile(const ActionDefinition& action, const std::string& where) {
  switch (action.kind) {
    case Kind::kafka:
      return kafka(action.kafka, where + ".kafka");
    case Kind::republish:
      return republish(action.republish, where + ".republish");
    case Kind::http:
    case Kind::webhook: {
      const bool alert = action.kind == Kind::webhook;
      MR_TRY_ASSIGN(CompiledAction out, http(*action.http, where + (alert ? ".webhook" : ".http")));
      out.kind = action.kind;
      return out;
    }
    case Kind::file:
      return file(*action.file, where + ".file");
  }
  return at_key(rule_, where, "no such action");
}

Result<TemplateText> ActionCompiler::text(const std::string& source, const std::string& where) {
  auto out = TemplateText::compile(source, program_);
  if (!out) return at_key(rule_, where, out.error().detail);
  return out;
}

Result<void> ActionCompiler::given(const std::string& source, const std::string& where,
                                   std::optional<TemplateText>& out) {
  if (source.empty()) return {};
  MR_TRY_ASSIGN(out, text(source, where));
  return {};
}

Result<CompiledAction> ActionCompiler::kafka(const KafkaAction& action, const std::string& where) {
  MR_TRY_ASSIGN(TemplateText topic, text(action.topic, where + ".topic"));
  if (topic.is_plain()) {
    if (const auto valid = check_topic_name(topic.source()); !valid) {
      return at_key(rule_, where + ".topic", valid.error().detail.empty() ? "not a topic name" : valid.error().detail);
    }
    if (!action.internal && topic.source().starts_with("__"))
      return at_key(rule_, where + ".topic", "topics starting with __ are internal");
  }
  CompiledAction out(std::move(topic));
  MR_TRY(given(action.key, where + ".key", out.key));
  if (action.partition.empty() && action.headers.empty()) return out;
  out.placement = std::make_unique<CompiledPlacement>();
  MR_TRY(given(action.partition, where + ".partition", out.placement->partition));
  for (std::size_t i = 0; i < action.headers.size(); ++i) {
    const std::string header = fmt::format("{}.headers[{}]", where, i);
    MR_TRY_ASSIGN(TemplateText key, text(action.headers[i].key, header + ".key"));
    MR_TRY_ASSIGN(TemplateText value, text(action.headers[i].value, header + ".value"));
    out.placement->headers.push_back({std::move(key), std::move(value)});
  }
  return out;
}

Result<CompiledAction> ActionCompiler::republish(const RepublishAction& action, const std::string& where) {
  // $$aws/... in a rule publishes to $aws/...: one $ alone would be the start of a template.
  const bool reserved = action.topic.starts_with("$$");
  MR_TRY_ASSIGN(TemplateText topic, text(reserved ? action.topic.substr(1) : action.topic, where + ".topic"));
  if (topic.is_plain()) {
    if (!is_publishable_topic(topic.source())) return at_key(rule_, where + ".topic", "not a topic to publish to");
    if (topic.source().front() == '$' && !reserved) {
      return at_key(rule_, where + ".topic", "a topic that starts with $ is written with $$");
    }
  }
  if (action.qos < 0 || action.qos > 1) return at_key(rule_, where + ".qos", "qos is 0 or 1");
  CompiledAction out(std::move(topic));
  out.kind = Kind::republish;
  out.reserved_topic = reserved;
  out.qos = static_cast<std::uint8_t>(action.qos);
  out.retain = action.retain;
  if (action.headers) MR_TRY(properties(*action.headers, where + ".headers", out));
  return out;
}

Result<void> ActionCompiler::properties(const RepublishHeaders& headers, const std::string& where,
                                        CompiledAction& out) {
  auto made = std::make_unique<CompiledProperties>();
  MR_TRY(given(headers.payload_format_indicator, where + ".payloadFormatIndicator", made->payload_format_indicator));
  MR_TRY(given(headers.content_type, where + ".contentType", made->content_type));
  MR_TRY(given(headers.response_topic, where + ".responseTopic", made->response_topic));
  MR_TRY(given(headers.correlation_data, where + ".correlationData", made->correlation_data));
  MR_TRY(given(headers.message_expiry, where + ".messageExpiry", made->message_expiry));
  // What is plain is known to be wrong now, not at the first message.
  const auto refuse = [&](const std::optional<TemplateText>& one, std::string_view key, auto valid,
                          std::string_view what) -> Result<void> {
    if (one && one->is_plain() && !valid(one->source())) return at_key(rule_, where + "." + std::string(key), what);
    return {};
  };
  MR_TRY(refuse(
      made->payload_format_indicator, "payloadFormatIndicator",
      [](auto text_in) { return format_indicator(text_in).has_value(); }, kNoFormatIndicator));
  MR_TRY(refuse(made->response_topic, "responseTopic", is_publishable_topic, "not a topic to publish to"));
  MR_TRY(refuse(
      made->message_expiry, "messageExpiry", [](auto text_in) { return expiry_seconds(text_in).has_value(); },
      kNoExpiry));
  MR_TRY(refuse(
      made->correlation_data, "correlationData",
      [](auto text_in) {
        std::string room(text_in.size(), '\0');
        return decode_base64(text_in, reinterpret_cast<std::uint8_t*>(room.data())).has_value();
      },
      "not base64"));
  for (std::size_t i = 0; i < headers.user_properties.size(); ++i) {
    const std::string pair = fmt::format("{}.userProperties[{}]", where, i);
    MR_TRY_ASSIGN(TemplateText key, text(headers.user_properties[i].key, pair + ".key"));
    MR_TRY_ASSIGN(TemplateText value, text(headers.user_properties[i].value, pair + ".value"));
    made->user_properties.push_back({std::move(key), std::move(value)});
  }
  out.properties = std::move(made);
  return {};
}

Result<CompiledAction> ActionCompiler::http(const HttpAction& action, const std::string& where) {
  if (!action.url.starts_with("http://") && !action.url.starts_with("https://")) {
    return at_key(rule_, where + ".url", "a URL begins with http:// or https://");
  }
  MR_TRY_ASSIGN(TemplateText url, text(action.url, where + ".url"));
  if (url.is_plain() && !is_url(url.source())) return at_key(rule_, where + ".url", kNoUrl);
  if (std::ranges::find(kMethods, action.method) == kMethods.end()) {
    return at_key(rule_, where + ".method",
                  fmt::format("'{}' is not one of GET, POST, PUT, PATCH, DELETE", action.method));
  }
  CompiledAction out(std::move(url));
  auto request = std::make_unique<CompiledRequest>();
  request->method = program_.paths().keep(action.method);
  for (std::size_t i = 0; i < action.headers.size(); ++i) {
    const std::string header = fmt::format("{}.headers[{}]", where, i);
    if (!is_header_name(action.headers[i].key)) {
      return at_key(rule_, header + ".key", "not the name of an HTTP header");
    }
    MR_TRY_ASSIGN(TemplateText value, text(action.headers[i].value, header + ".value"));
    request->headers.push_back({program_.paths().keep(action.headers[i].key), std::move(value)});
  }
  MR_TRY(given(action.key, where + ".key", request->key));
  MR_TRY(given(action.body, where + ".body", request->body));
  MR_TRY(given(action.text, where + ".text", request->text));
  MR_TRY(given(action.answer_topic, where + ".answer.topic", request->answer_topic));
  MR_TRY(given(action.answer_key, where + ".answer.key", request->answer_key));
  if (request->answer_topic && request->answer_topic->is_plain() &&
      (!is_valid_topic_name(request->answer_topic->source()) || request->answer_topic->source().starts_with("__"))) {
    return at_key(rule_, where + ".answer.topic", "not a Kafka topic name");
  }
  if (action.batching && request->answer_topic) {
    return at_key(rule_, where + ".answer", "a batch has one answer for many messages: enableBatching goes without");
  }
  const std::string_view origin = origin_of(action.url);
  request->destination = destination_hash(origin.empty() ? std::string_view(rule_.name) : origin);
  request->max_batch_size = action.batching ? static_cast<std::uint32_t>(action.max_batch_size) : 0;
  request->max_batch_bytes = static_cast<std::uint32_t>(action.max_batch_bytes);
  request->max_batch_open_ms = static_cast<std::uint32_t>(action.max_batch_open_ms);
  request->timeout_ms = static_cast<std::uint32_t>(action.timeout_ms);
  request->give_up_after_ms = static_cast<std::uint64_t>(action.give_up_after_ms);
  out.request = std::move(request);
  return out;
}

Result<CompiledAction> ActionCompiler::file(const FileAction& action, const std::string& where) {
  MR_TRY_ASSIGN(TemplateText name, text(action.name, where + ".name"));
  if (name.is_plain() && !is_file_name(name.source())) return at_key(rule_, where + ".name", kNoFileName);
  CompiledAction out(std::move(name));
  out.kind = Kind::file;
  out.request = std::make_unique<CompiledRequest>();
  out.request->destination = destination_hash("file:" + action.name);
  return out;
}

}  // namespace millrace::rules
