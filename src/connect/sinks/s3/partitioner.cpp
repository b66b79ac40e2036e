#include "connect/sinks/s3/partitioner.h"

#include <fmt/format.h>

#include <charconv>

#include "base/take_digits.h"
#include "connect/json_members.h"

namespace millrace::connect::s3 {
namespace {

constexpr std::string_view kHourly = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH";
constexpr std::string_view kDaily = "'year'=YYYY/'month'=MM/'day'=dd";

std::string_view simple_name(std::string_view class_name) {
  class_name.remove_prefix(class_name.find_last_of(".$") == std::string_view::npos ? 0
                                                                                   : class_name.find_last_of(".$") + 1);
  return class_name;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t offset_ms(const sql::TimeZone& zone, std::int64_t utc_ms) {
  return std::int64_t{zone.at(floor_div(utc_ms, 1000)).seconds} * 1000;
}

Error wrong(std::string detail) {
  return {ErrorCode::invalid_argument, "partitioner", std::move(detail)};
}

}  // namespace

std::int64_t span_start(std::int64_t time_ms, std::int64_t duration_ms, const sql::TimeZone& zone) {
  if (duration_ms <= 0) return time_ms;
  const std::int64_t local = floor_div(time_ms + offset_ms(zone, time_ms), duration_ms) * duration_ms;
  // Back to UTC: the offset that holds at the answer, which differs from today's across a clock change.
  std::int64_t utc = local - offset_ms(zone, time_ms);
  utc = local - offset_ms(zone, utc);
  return utc;
}

WallTime next_rotation(WallTime now, std::chrono::milliseconds interval, const sql::TimeZone& zone) {
  constexpr std::int64_t kDayMs = 86'400'000;
  const std::int64_t local = now.count() + offset_ms(zone, now.count());
  const std::int64_t day = floor_div(local, kDayMs) * kDayMs;
  const std::int64_t next = day + ((local - day) / interval.count() + 1) * interval.count();
  return WallTime(next - offset_ms(zone, now.count()));
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  const auto skip = [&text](char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  };
  std::int64_t year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0, offset = 0;
  if (!take_digits(text, 4, year)) return std::nullopt;
  if (skip('-') && (!take_digits(text, 2, month) || (skip('-') && !take_digits(text, 2, day)))) return std::nullopt;
  if (month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
  if (skip('T') || skip(' ')) {
    if (!take_digits(text, 2, hour)) return std::nullopt;
    if (skip(':') && (!take_digits(text, 2, minute) || (skip(':') && !take_digits(text, 2, second))))
      return std::nullopt;
    if (skip('.') || skip(',')) {
      std::int64_t scale = 100;
      while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        ms += (text.front() - '0') * scale;
        scale /= 10;
        text.remove_prefix(1);
      }
    }
    if (!skip('Z') && !text.empty()) {
      const bool minus = text.front() == '-';
      if (!skip('+') && !skip('-')) return std::nullopt;
      std::int64_t hours = 0, minutes = 0;
      if (!take_digits(text, 2, hours)) return std::nullopt;
      skip(':');
      if (!text.empty() && !take_digits(text, 2, minutes)) return std::nullopt;
      offset = (hours * 60 + minutes) * (minus ? -60 : 60);
    }
  }
  if (!text.empty() || hour > 24 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t days = sql::days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  return (days * 86'400 + hour * 3600 + minute * 60 + second - offset) * 1000 + ms;
}

Result<Partitioner> Partitioner::make(const Settings& settings) {
  Partitioner made;
  made.delimiter_ = settings.text("directory.delim");
  const std::string class_name = settings.text("partitioner.class");
  const std::string_view name = simple_name(class_name);
  if (name == "DefaultPartitioner") return made;
  if (name == "FieldPartitioner") {
    made.kind_ = Kind::field;
    made.fields_ = settings.list("partition.field.name");
    if (made.fields_.empty()) {
      return std::unexpected(wrong("partition.field.name: FieldPartitioner needs at least one field"));
    }
    return made;
  }
  std::string format;
  made.kind_ = Kind::time;
  if (name == "TimeBasedPartitioner") {
    format = settings.text("path.format");
    made.duration_ = settings.ms("partition.duration.ms");
    if (made.duration_.count() <= 0) {
      return std::unexpected(wrong("partition.duration.ms: must be set and positive for TimeBasedPartitioner"));
    }
  } else if (name == "HourlyPartitioner") {
    format = kHourly;
    made.duration_ = std::chrono::hours(1);
  } else if (name == "DailyPartitioner") {
    format = kDaily;
    made.duration_ = std::chrono::hours(24);
  } else {
    return std::unexpected(wrong("partitioner.class: Class " + class_name + " could not be found."));
  }
  if (!made.delimiter_.empty() && format.ends_with(made.delimiter_))
    format.resize(format.size() - made.delimiter_.size());
  if (format.empty()) return std::unexpected(wrong("path.format: Path format cannot be empty."));
  auto pattern = sql::TimePattern::compile(format);
  if (!pattern) return std::unexpected(wrong("path.format: " + pattern.error().message()));
  made.pattern_ = std::move(*pattern);
  const std::string zone = settings.text("timezone");
  made.zone_ = zone.empty() ? nullptr : sql::TimeZone::find(zone);
  if (made.zone_ == nullptr) return std::unexpected(wrong("timezone: '" + zone + "' is not a known time zone"));
  if (settings.text("locale").empty()) return std::unexpected(wrong("locale: Locale cannot be empty."));
  const std::string extractor_text = settings.text("timestamp.extractor");
  const std::string_view extractor = simple_name(extractor_text);
  if (extractor == "Wallclock" || extractor == "WallclockTimestampExtractor") {
    made.extractor_ = Extractor::wallclock;
  } else if (extractor == "Record" || extractor == "RecordTimestampExtractor") {
    made.extractor_ = Extractor::record;
  } else if (extractor == "RecordField" || extractor == "RecordFieldTimestampExtractor") {
    made.extractor_ = Extractor::record_field;
    made.time_field_ = settings.text("timestamp.field");
  } else {
    return std::unexpected(
        wrong("timestamp.extractor: '" + extractor_text + "' is not Wallclock, Record or RecordField"));
  }
  return made;
}

Result<std::int64_t> Partitioner::time_of(const SinkRecord& record, WallTime wall) const {
  switch (extractor_) {
    case Extractor::none:
      return 0;
    case Extractor::wallclock:
      return wall.count();
    case Extractor::record:
      if (record.image.timestamp_ms < 0) return fail(ErrorCode::malformed, "The record has no timestamp");
      return record.image.timestamp_ms;
    case Extractor::record_field:
      break;
  }
  const sql::Value field = field_at(record.image.value.value, time_field_);
  if (field.is_number()) {
    if (const auto text = scalar_text(field)) {
      std::int64_t ms = 0;
      const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), ms);
      if (error == std::errc() && end == text->data() + text->size()) return ms;
    }
  } else if (field.is_string()) {
    if (const auto ms = parse_iso_time(scalar_text(field).value_or(""))) return *ms;
  }
  return fail(ErrorCode::malformed, "Error extracting timestamp from record field", time_field_);
}

Result<Partitioner::Place> Partitioner::by_fields(const SinkRecord& record) {
  last_.clear();
  for (const std::string& name : fields_) {
    const auto text = scalar_text(field_at(record.image.value.value, name));
    if (!text) return fail(ErrorCode::malformed, "Error encoding partition.", name);
    if (!last_.empty()) last_ += delimiter_;
    last_ += name + "=" + *text;
  }
  return Place{last_, 0};
}

Result<Partitioner::Place> Partitioner::place(const SinkRecord& record, WallTime wall) {
  if (kind_ == Kind::field) return by_fields(record);
  if (kind_ == Kind::partition) {
    const std::int64_t number = record.origin().partition->partition.value();
    if (last_slot_ != number) {
      last_ = fmt::format("partition={}", number);
      last_slot_ = number;
    }
    return Place{last_, 0};
  }
  MR_TRY_ASSIGN(const std::int64_t time, time_of(record, wall));
  const std::int64_t slot = span_start(time, duration_.count(), *zone_);
  if (last_slot_ != slot) {
    arena_->reset();
    sql::TextWriter out(*arena_);
    pattern_->format(out, *zone_, slot);
    last_ = out.finish();
    last_slot_ = slot;
    if (last_.empty()) {
      last_slot_.reset();
      return fail(ErrorCode::malformed, "The time of the record is out of range", std::to_string(time));
    }
  }
  return Place{last_, time};
}

}  // namespace millrace::connect::s3
