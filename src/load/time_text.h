// Points in time as recorded data writes them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace millrace::load {

/// Milliseconds since 1970-01-01T00:00:00Z of
///   2016-11-24T00:00:51-06:00   ISO 8601; T or a blank; seconds and their fraction may be missing; Z, +hh:mm, +hhmm or
///   no zone (UTC) 1533226488.299              seconds (a number below 100,000,000,000), also of a clock that starts
///   elsewhere 1533226488299               milliseconds
/// Error: malformed with the text.
Result<std::int64_t> parse_time_ms(std::string_view text);

}  // namespace millrace::load
