// TimeParser: reads a point in time by a pattern of the JDK's DateTimeFormatter (java.time, English texts, strict case,
// SMART resolving): what time_to_epoch() takes. Compiled once. Thread: immutable after compile().
//
// Letters: G u y M L D d E a H k K h m s S A n N X x Z z VV; text in single quotes, '' is one quote, [ ] encloses what
// may be missing. Any other letter is refused. z and VV read zone names of the system's database, offsets, and of the
// abbreviations UTC, GMT, UT and Z.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::sql {

class TimeParser {
 public:
  /// Error: invalid_argument naming the letter.
  static Result<TimeParser> compile(std::string_view pattern);

  /// Milliseconds since 1970-01-01T00:00:00Z; without a zone in the text, UTC is meant, without a time, midnight.
  /// nullopt: the text is not as the pattern says, or no date of the calendar.
  [[nodiscard]] std::optional<std::int64_t> parse(std::string_view text) const;

 private:
  friend class TimeReading;
  struct Field {
    char letter = 0;  // 0: literal; '[' and ']'
    int count = 0;
    int reserved = 0;    // digits that the numbers right behind this one take
    bool fixed = false;  // exactly count digits
    std::string text;
  };
  std::vector<Field> fields_;
};

}  // namespace millrace::sql
