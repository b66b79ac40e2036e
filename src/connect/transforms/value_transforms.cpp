// Transformations of types and times: Cast, TimestampConverter.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "connect/converters/schema.h"
#include "connect/json_members.h"
#include "connect/transforms/java_time_pattern.h"
#include "connect/transforms/parts.h"
#include "connect/transforms/time_text.h"
#include "sql/time_zone.h"

namespace millrace::connect {
namespace {

using Made = Result<std::unique_ptr<Transform>>;

constexpr ConfigKey kCastRows[] = {
    {.name = "spec",
     .type = KeyType::list,
     .required = true,
     .importance = Importance::high,
     .documentation = "List of fields and the type to cast them to of the form field1:type,field2:type; a single type "
                      "casts the whole part.",
     .not_empty = true},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

enum class CastType : std::uint8_t { int8, int16, int32, int64, float32, float64, boolean, string };

std::optional<CastType> cast_type(std::string_view name) {
  static constexpr std::pair<std::string_view, CastType> kNames[] = {
      {"int8", CastType::int8},       {"int16", CastType::int16},     {"int32", CastType::int32},
      {"int64", CastType::int64},     {"float32", CastType::float32}, {"float64", CastType::float64},
      {"boolean", CastType::boolean}, {"string", CastType::string}};
  const auto found = std::ranges::find(kNames, name, &std::pair<std::string_view, CastType>::first);
  return found == std::end(kNames) ? std::nullopt : std::optional(found->second);
}

class Cast final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<Cast>();
    made->part_ = part;
    for (const std::string& item : settings.list("spec")) {
      const auto colon = item.find(':');
      const std::string name = colon == std::string::npos ? "" : item.substr(0, colon);
      const auto type = cast_type(lower_case(colon == std::string::npos ? item : item.substr(colon + 1)));
      if (!type) return fail(ErrorCode::invalid_argument, "Invalid type found in casting spec", item);
      if (colon == std::string::npos) made->whole_ = type;
      if (colon != std::string::npos) made->fields_[name] = *type;
    }
    if (made->whole_ && !made->fields_.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "Cast transformations that specify a type to cast the entire value to may ONLY specify a single cast "
                  "in their spec");
    }
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    if (whole_) {
      MR_TRY_ASSIGN(const sql::Value value, cast(datum.value, *whole_, room.arena()));
      datum = Datum::of(value);
      return true;
    }
    MR_TRY_ASSIGN(const sql::Value before, object_of(datum, "cast types"));
    ObjectBuilder object(room.arena());
    Result<void> all;
    each_member(before, room.arena(), [&](std::string_view name, const sql::Value& value) {
      const auto type = fields_.find(name);
      if (type == fields_.end() || value.is_null()) return object.add(name, value);
      auto changed = cast(value, type->second, room.arena());
      if (changed) return object.add(name, *changed);
      all = std::unexpected<Error>(changed.error());
    });
    MR_TRY(all);
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  static Result<sql::Value> cast(const sql::Value& value, CastType type, sql::Arena& arena) {
    const auto text = scalar_text(value);
    if (!text) return fail(ErrorCode::malformed, "Unexpected type in Cast transformation");
    if (type == CastType::string) return sql::Value::string(arena.copy(*text));
    const bool is_boolean = value.type() == sql::Value::Type::boolean;
    if (type == CastType::boolean) {
      if (is_boolean) return value;
      if (value.is_string()) return sql::Value::boolean(lower_case(*text) == "true");
      const auto number = sql::Decimal::parse(*text);
      return sql::Value::boolean(number && !number->is_zero());
    }
    const std::string digits = is_boolean ? (value.is_true() ? "1" : "0") : *text;
    const auto number = sql::Decimal::parse(digits);
    if (!number) return fail(ErrorCode::malformed, "Value could not be cast to a number", digits.substr(0, 50));
    if (type == CastType::float64 || type == CastType::float32) {
      const double real = number->to_double();
      char to[32];
      const auto end = type == CastType::float64 ? std::to_chars(to, to + sizeof to, real).ptr
                                                 : std::to_chars(to, to + sizeof to, static_cast<float>(real)).ptr;
      return sql::Value::number_source(arena.copy({to, static_cast<std::size_t>(end - to)}));
    }
    if (value.is_string() && !number->is_whole()) {
      return fail(ErrorCode::malformed, "Value could not be cast to a whole number", digits.substr(0, 50));
    }
    const auto whole = number->rounded(sql::Decimal::Rounding::truncate).to_int64();
    if (!whole) return fail(ErrorCode::malformed, "Value is out of range of int64", digits.substr(0, 50));
    switch (type) {  // narrowing as Java's casts do
      case CastType::int8:
        return sql::Value::integer(static_cast<std::int8_t>(*whole));
      case CastType::int16:
        return sql::Value::integer(static_cast<std::int16_t>(*whole));
      case CastType::int32:
        return sql::Value::integer(static_cast<std::int32_t>(*whole));
      default:
        return sql::Value::integer(*whole);
    }
  }

  Part part_ = Part::value;
  std::optional<CastType> whole_;
  std::map<std::string, CastType, std::less<>> fields_;
};

constexpr ConfigKey kTimeRows[] = {
    {.name = "target.type",
     .required = true,
     .importance = Importance::high,
     .documentation = "The desired timestamp representation: string, unix, Date, Time, or Timestamp.",
     .choices = "string, unix, Date, Time, Timestamp"},
    {.name = "field",
     .standard = "",
     .importance = Importance::high,
     .documentation = "The field containing the timestamp, or empty if the entire value is a timestamp."},
    {.name = "format",
     .standard = "",
     .documentation = "A SimpleDateFormat-compatible format for the timestamp, for strings."},
    {.name = "unix.precision",
     .standard = "milliseconds",
     .importance = Importance::low,
     .documentation = "The precision of unix times.",
     .choices = "nanoseconds, microseconds, milliseconds, seconds"},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

constexpr std::int64_t kDayMs = 86'400'000;

class TimestampConverter final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<TimestampConverter>();
    made->part_ = part;
    made->field_ = settings.text("field");
    made->target_ = settings.text("target.type");
    made->format_ = settings.text("format");
    made->precision_ = settings.text("unix.precision");
    if (made->target_ == "string" && made->format_.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "TimestampConverter requires format option to be specified when using string timestamps");
    }
    if (!made->format_.empty()) {
      MR_TRY_ASSIGN(auto pattern, compile_java_pattern(made->format_));
      made->pattern_.emplace(std::move(pattern));
    }
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    if (field_.empty()) {
      MR_TRY_ASSIGN(const sql::Value value, convert(datum.value, room.arena()));
      datum = Datum::of(value);
      return true;
    }
    MR_TRY_ASSIGN(const sql::Value before, object_of(datum, "converting timestamp formats"));
    ObjectBuilder object(room.arena());
    Result<void> all;
    each_member(before, room.arena(), [&](std::string_view name, const sql::Value& value) {
      if (name != field_ || value.is_null()) return object.add(name, value);
      auto changed = convert(value, room.arena());
      if (changed) return object.add(name, *changed);
      all = std::unexpected<Error>(changed.error());
    });
    MR_TRY(all);
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  // Without schemas a number is a unix time and a string is of `format`; the types with a schema are numbers.
  Result<sql::Value> convert(const sql::Value& value, sql::Arena& arena) const {
    std::int64_t ms = 0;
    if (value.is_number()) {
      const auto number = int64_of(value);
      if (!number) return fail(ErrorCode::malformed, "Expected unix timestamp to be a Long");
      ms = precision_ == "seconds"        ? *number * 1000
           : precision_ == "microseconds" ? *number / 1000
           : precision_ == "nanoseconds"  ? *number / 1'000'000
                                          : *number;
    } else if (value.is_string()) {
      const auto parsed = parse_time_text(format_, scalar_text(value).value_or(""));
      if (!parsed)
        return fail(ErrorCode::malformed, "Could not parse timestamp: value does not match pattern", format_);
      ms = *parsed;
    } else {
      return fail(ErrorCode::malformed, "TimestampConverter does not support this type of value");
    }
    if (target_ == "string") {
      sql::TextWriter out(arena, 64);
      pattern_->format(out, sql::TimeZone::utc(), ms);
      return sql::Value::string(out.finish());
    }
    if (target_ == "Date") return sql::Value::integer(ms - ((ms % kDayMs) + kDayMs) % kDayMs);
    if (target_ == "Time") return sql::Value::integer(((ms % kDayMs) + kDayMs) % kDayMs);
    if (target_ == "unix" && precision_ == "seconds") return sql::Value::integer(ms / 1000);
    if (target_ == "unix" && precision_ == "microseconds") return sql::Value::integer(ms * 1000);
    if (target_ == "unix" && precision_ == "nanoseconds") return sql::Value::integer(ms * 1'000'000);
    return sql::Value::integer(ms);
  }

  Part part_ = Part::value;
  std::string field_, target_, format_, precision_;
  std::optional<sql::TimePattern> pattern_;
};

}  // namespace

void add_value_transforms(std::vector<TransformClass>& classes) {
  add_both<Cast>(classes, MR_KEY_AND_VALUE("Cast"), kCastRows);
  add_both<TimestampConverter>(classes, MR_KEY_AND_VALUE("TimestampConverter"), kTimeRows);
}

}  // namespace millrace::connect
