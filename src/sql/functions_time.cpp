// Functions about time. timestamp() is when the message was received, so that a rule tried again over stored messages
// answers the same.
#include <array>

#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/operators.h"
#include "sql/time_parser.h"
#include "sql/time_pattern.h"
#include "sql/time_zone.h"

namespace millrace::sql {

namespace {

Value timestamp(Evaluation& evaluation, const Call& /*call*/) {
  return Value::integer(evaluation.message().received_at.count());
}

/// The constant pattern and zone of one parse_time call.
struct PreparedTime final : Prepared {
  std::optional<TimePattern> pattern;
  const TimeZone* zone = nullptr;
};

std::shared_ptr<const Prepared> prepare_parse_time(std::span<const std::optional<Value>> constants,
                                                   std::string& problem) {
  auto out = std::make_shared<PreparedTime>();
  if (constants[0]) {
    if (!constants[0]->is_string()) {
      problem = "the first argument of parse_time is a pattern in quotes";
      return nullptr;
    }
    auto pattern = TimePattern::compile(constants[0]->source());
    if (!pattern) {
      problem = "parse_time: " + pattern.error().detail;
      return nullptr;
    }
    out->pattern = std::move(*pattern);
  }
  if (constants.size() < 3) {
    out->zone = &TimeZone::utc();
  } else if (constants[2]) {
    if (constants[2]->is_string()) out->zone = TimeZone::find(constants[2]->source());
    if (out->zone == nullptr) {
      problem = "parse_time: there is no time zone of that name on this system";
      return nullptr;
    }
  }
  return out;
}

/// parse_time(pattern, milliseconds[, zone]): formats, in spite of its name.
Value parse_time(Evaluation& evaluation, const Call& call) {
  const auto& prepared = static_cast<const PreparedTime&>(*call.prepared);
  const auto number = to_number(evaluation, call.arguments[1]);
  if (!number) return {};
  const auto milliseconds = number->small
                                ? number->integer
                                : number->as_decimal().rounded(Decimal::Rounding::floor).to_int64().value_or(INT64_MAX);
  if (milliseconds > TimePattern::kMaxMilliseconds || milliseconds < -TimePattern::kMaxMilliseconds) return {};
  const TimeZone* zone = prepared.zone;
  if (zone == nullptr) {
    if (!call.arguments[2].is_string()) return {};
    zone = TimeZone::find(call.arguments[2].characters(evaluation.arena()));
    if (zone == nullptr) return {};
  }
  if (prepared.pattern) return Value::string(evaluation.format_time(*prepared.pattern, *zone, milliseconds));
  if (!call.arguments[0].is_string()) return {};
  const auto pattern = TimePattern::compile(call.arguments[0].characters(evaluation.arena()));
  if (!pattern) return {};
  return Value::string(evaluation.format_time(*pattern, *zone, milliseconds));
}

struct PreparedParser final : Prepared {
  std::optional<TimeParser> parser;
};

std::shared_ptr<const Prepared> prepare_time_to_epoch(std::span<const std::optional<Value>> constants,
                                                      std::string& problem) {
  auto out = std::make_shared<PreparedParser>();
  if (constants.size() < 2 || !constants[1]) return out;
  if (!constants[1]->is_string()) {
    problem = "the second argument of time_to_epoch is a pattern in quotes";
    return nullptr;
  }
  auto parser = TimeParser::compile(constants[1]->source());
  if (!parser) {
    problem = "time_to_epoch: " + parser.error().detail;
    return nullptr;
  }
  out->parser = std::move(*parser);
  return out;
}

/// time_to_epoch(text, pattern)
Value time_to_epoch(Evaluation& evaluation, const Call& call) {
  const auto text = to_text(evaluation.arena(), call.arguments[0]);
  if (!text || !evaluation.spend(100)) return {};
  const auto& prepared = static_cast<const PreparedParser&>(*call.prepared);
  std::optional<std::int64_t> milliseconds;
  if (prepared.parser) {
    milliseconds = prepared.parser->parse(*text);
  } else if (call.arguments[1].is_string() && evaluation.spend(500)) {
    const auto parser = TimeParser::compile(call.arguments[1].characters(evaluation.arena()));
    if (parser) milliseconds = parser->parse(*text);
  }
  return milliseconds ? Value::integer(*milliseconds) : Value();
}

constexpr std::array kFunctions = {
    Function{.name = "timestamp", .call = timestamp},
    Function{.name = "parse_time",
             .min_arguments = 2,
             .max_arguments = 3,
             .call = parse_time,
             .prepare = prepare_parse_time},
    Function{.name = "time_to_epoch",
             .min_arguments = 2,
             .max_arguments = 2,
             .since = Version::v2016_03_23,
             .call = time_to_epoch,
             .prepare = prepare_time_to_epoch},
};

}  // namespace

std::span<const Function> time_functions() {
  return kFunctions;
}

}  // namespace millrace::sql
