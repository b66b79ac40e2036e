// Partitioner: which folder of the bucket a record belongs to, after Confluent's partitioners: Default ("partition=3"),
// Field ("region=eu/kind=gps"), TimeBased, Hourly and Daily (a Joda-Time pattern of a time that the extractor finds).
//
// Pure but for memory of the last answer. Thread: one owner.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "connect/runtime/sink_record.h"
#include "connect/settings/settings.h"
#include "sql/arena.h"
#include "sql/time_pattern.h"
#include "sql/time_zone.h"

namespace millrace::connect::s3 {

enum class Extractor : std::uint8_t { none, wallclock, record, record_field };

class Partitioner {
 public:
  /// Errors: invalid_argument naming the key.
  static Result<Partitioner> make(const Settings& settings);

  struct Place {
    std::string_view folder;   // valid until the next call
    std::int64_t time_ms = 0;  // what the extractor found; 0 without one
  };
  /// `wall` is what the wall clock extractor takes. Errors: malformed (the record has no such field or time).
  Result<Place> place(const SinkRecord& record, WallTime wall);
  [[nodiscard]] Extractor extractor() const { return extractor_; }
  [[nodiscard]] const sql::TimeZone& zone() const { return *zone_; }

 private:
  Result<std::int64_t> time_of(const SinkRecord& record, WallTime wall) const;
  Result<Place> by_fields(const SinkRecord& record);

  enum class Kind : std::uint8_t { partition, field, time };
  Kind kind_ = Kind::partition;
  Extractor extractor_ = Extractor::none;
  std::vector<std::string> fields_;
  std::string time_field_;
  std::chrono::milliseconds duration_{0};
  std::optional<sql::TimePattern> pattern_;
  const sql::TimeZone* zone_ = &sql::TimeZone::utc();
  std::string delimiter_ = "/";
  // The last answer: of one Kafka partition, or one span of time.
  std::unique_ptr<sql::Arena> arena_ = std::make_unique<sql::Arena>(4096);
  std::string last_;
  std::optional<std::int64_t> last_slot_;
};

/// Start of the span of `duration` that holds `time`, spans counted from midnight 1970 local time.
std::int64_t span_start(std::int64_t time_ms, std::int64_t duration_ms, const sql::TimeZone& zone);
/// The next multiple of `interval` behind `now`, counted from the local day's start.
WallTime next_rotation(WallTime now, std::chrono::milliseconds interval, const sql::TimeZone& zone);
/// Milliseconds of an ISO-8601 date and time; nullopt: it is none.
std::optional<std::int64_t> parse_iso_time(std::string_view text);

}  // namespace millrace::connect::s3
