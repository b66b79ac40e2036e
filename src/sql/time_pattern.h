// TimePattern: a Joda-Time format pattern ("yyyy-MM-dd'T'HH:mm:ssz"), compiled once, printed per message. English
// texts.
//
// Letters: G C y Y x M w D d e E a K h H k m s S z Z; text in single quotes, '' is one quote; any other letter is
// refused. z prints the zone database's abbreviation (UTC, KST, CST, +03); zzzz (full zone names) exists for UTC only.
// Thread: immutable after compile().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/text_writer.h"
#include "sql/time_zone.h"

namespace millrace::sql {

class TimePattern {
 public:
  /// Error: invalid_argument naming the letter.
  static Result<TimePattern> compile(std::string_view pattern);

  /// Appends the local time of `zone` at `milliseconds` since 1970-01-01T00:00:00Z.
  void format(TextWriter& out, const TimeZone& zone, std::int64_t milliseconds) const;

  /// Different for every compiled pattern of the process; never 0.
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] bool shows_milliseconds() const { return shows_milliseconds_; }

  /// Years outside print nothing (Joda's limits are near 292 million; ours keep every sum in 64 bits).
  static constexpr std::int64_t kMaxMilliseconds = 8'640'000'000'000'000;  // 100 million days, as ECMAScript

 private:
  struct Field {
    char letter = 0;  // 0: literal
    int count = 0;
    std::string text;
  };
  std::vector<Field> fields_;
  std::uint64_t id_ = 0;
  bool shows_milliseconds_ = false;
};

}  // namespace millrace::sql
