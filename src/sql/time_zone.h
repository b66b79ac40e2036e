// TimeZone: offsets and abbreviations of a zone over time, read from the system's zone database (TZif, RFC 8536), its
// POSIX rule for the years behind the last entry included.
//
// Zones live as long as the process and are shared by all threads; a zone is read once, at the first find().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::sql {

struct ZoneOffset {
  std::int32_t seconds = 0;  // to add to UTC
  std::string_view abbreviation;
};

class TimeZone {
 public:
  static const TimeZone& utc();
  /// "UTC", "Asia/Seoul", "+09:00"; nullptr when the system has no such zone.
  static const TimeZone* find(std::string_view name);
  /// From the bytes of a TZif file. Error: malformed.
  static Result<TimeZone> parse(std::string_view name, ByteView tzif);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] ZoneOffset at(std::int64_t second) const;

 private:
  struct Type {
    std::int32_t seconds = 0;
    std::string abbreviation;
  };
  /// One change of the POSIX rule: the day by month/week/weekday, or by number, and the second of that day.
  struct Change {
    char kind = 'M';  // M: month, week, weekday; J: day 1-365 without 29 February; 0: day 0-365
    int month = 0;
    int week = 0;
    int day = 0;
    std::int32_t second = 7200;
    [[nodiscard]] std::int64_t in_year(std::int64_t year) const;  // seconds since 1970, local
  };
  struct PosixRule {
    Type standard;
    Type daylight;
    bool has_daylight = false;
    Change start;
    Change end;
  };
  friend class PosixRuleReader;

  static TimeZone fixed(std::string name, std::int32_t seconds, std::string abbreviation);

  std::string name_;
  std::vector<std::int64_t> transitions_;  // ascending
  std::vector<std::uint8_t> types_at_;     // type from the transition on
  std::vector<Type> types_;                // types_[first_] holds before the first transition
  std::size_t first_ = 0;
  PosixRule rule_;
  bool has_rule_ = false;
};

/// Days since 1970-01-01 of a proleptic Gregorian date.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day);

}  // namespace millrace::sql
