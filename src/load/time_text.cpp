#include "load/time_text.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <string>

#include "base/take_digits.h"

namespace millrace::load {
namespace {

constexpr double kFirstMilliseconds = 1e11;  // in seconds the year 5138, in milliseconds March 1973

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_zone(std::string_view text, std::int64_t& offset_minutes) {
  offset_minutes = 0;
  if (text.empty() || text == "Z" || text == "z") return true;
  const bool west = text.front() == '-';
  if (!west && text.front() != '+') return false;
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!take_digits(text, 2, hours)) return false;
  take(text, ':');
  if (!text.empty() && !take_digits(text, 2, minutes)) return false;
  offset_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
  return text.empty() && hours < 24 && minutes < 60;
}

bool parse_calendar(std::string_view text, std::int64_t& ms) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) || !take(text, '-') ||
      !take_digits(text, 2, day)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return false;
  int hour = 0;
  int minute = 0;
  int second = 0;
  double fraction = 0;
  std::int64_t zone = 0;
  if (!text.empty()) {
    if (!take(text, 'T') && !take(text, ' ') && !take(text, 't')) return false;
    if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute)) return false;
    if (take(text, ':') && !take_digits(text, 2, second)) return false;
    if (take(text, '.') || take(text, ',')) {
      double scale = 0.1;
      if (text.empty() || text.front() < '0' || text.front() > '9') return false;
      for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), scale /= 10) {
        fraction += scale * (text.front() - '0');
      }
    }
    if (!take_zone(text, zone)) return false;
  }
  if (hour > 24 || minute > 59 || second > 60) return false;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  ms = ((static_cast<std::int64_t>(days) * 24 + hour) * 60 + minute - zone) * 60'000 + second * 1000 +
       static_cast<std::int64_t>(std::floor(fraction * 1000 + 1e-6));
  return true;
}

}  // namespace

Result<std::int64_t> parse_time_ms(std::string_view text) {
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc{} && end == text.data() + text.size() && std::isfinite(number) && std::abs(number) < 1e17) {
    return static_cast<std::int64_t>(std::llround(std::abs(number) < kFirstMilliseconds ? number * 1000 : number));
  }
  std::int64_t ms = 0;
  if (parse_calendar(text, ms)) return ms;
  return fail(ErrorCode::malformed, "not a time that is understood", std::string(text));
}

}  // namespace millrace::load
