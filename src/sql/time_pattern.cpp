#include "sql/time_pattern.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>

namespace millrace::sql {

namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::string_view kLetters = "GCyYxMwDdeEaKhHkmsSzZ";
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};

struct Civil {
  std::int64_t year = 0;  // proleptic: 0 is 1 BC
  int month = 0;
  int day = 0;
  int day_of_year = 0;
  int weekday = 0;  // 1 Monday to 7 Sunday
  int second_of_day = 0;
  std::int64_t week_year = 0;
  int week = 0;
};

Civil civil_of(std::int64_t local_second) {
  Civil out;
  std::int64_t days = local_second / kDay;
  std::int64_t second = local_second % kDay;
  if (second < 0) {
    second += kDay;
    --days;
  }
  out.second_of_day = static_cast<int>(second);
  out.weekday = static_cast<int>(((days + 3) % 7 + 7) % 7) + 1;
  const std::int64_t shifted = days + 719'468;  // days since 0000-03-01
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_from_march + 2) / 153;
  out.day = static_cast<int>(day_from_march - (153 * month_from_march + 2) / 5) + 1;
  out.month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
  out.day_of_year = static_cast<int>(days - days_from_civil(out.year, 1, 1)) + 1;
  // ISO 8601: the week belongs to the year of its Thursday.
  const std::int64_t thursday = days - (out.weekday - 1) + 3;
  out.week_year = out.year;
  if (thursday < days_from_civil(out.year, 1, 1)) --out.week_year;
  if (thursday >= days_from_civil(out.year + 1, 1, 1)) ++out.week_year;
  out.week = static_cast<int>((thursday - days_from_civil(out.week_year, 1, 1)) / 7) + 1;
  return out;
}

void put_number(TextWriter& out, std::int64_t value, int digits) {
  if (value < 0) {
    out.push('-');
    value = -value;
  }
  char text[20];
  const auto size = static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text);
  for (std::size_t i = size; i < static_cast<std::size_t>(digits); ++i) out.push('0');
  out.append({text, size});
}

void put_offset(TextWriter& out, std::int32_t seconds, bool colon) {
  out.push(seconds < 0 ? '-' : '+');
  const int minutes = std::abs(seconds) / 60;
  put_number(out, minutes / 60, 2);
  if (colon) out.push(':');
  put_number(out, minutes % 60, 2);
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

Result<TimePattern> TimePattern::compile(std::string_view pattern) {
  static std::atomic<std::uint64_t> next_id{1};
  constexpr std::size_t kMaxPattern = 256;
  constexpr std::size_t kMaxCount = 32;
  if (pattern.empty()) return fail(ErrorCode::invalid_argument, "time pattern", "it is empty");
  if (pattern.size() > kMaxPattern)
    return fail(ErrorCode::invalid_argument, "time pattern", "longer than 256 characters");
  TimePattern out;
  out.id_ = next_id.fetch_add(1, std::memory_order_relaxed);
  const auto literal = [&out](std::string_view text) {
    if (out.fields_.empty() || out.fields_.back().letter != 0) out.fields_.emplace_back();
    out.fields_.back().text += text;
  };
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\'') {
      if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
        literal("'");
        i += 2;
        continue;
      }
      // An unclosed quote runs to the end, as in Joda.
      for (++i; i < pattern.size(); ++i) {
        if (pattern[i] == '\'') {
          if (i + 1 >= pattern.size() || pattern[i + 1] != '\'') break;
          ++i;
        }
        literal(pattern.substr(i, 1));
      }
      ++i;
      continue;
    }
    if (!is_letter(c)) {
      literal(pattern.substr(i, 1));
      ++i;
      continue;
    }
    if (kLetters.find(c) == std::string_view::npos) {
      return fail(ErrorCode::invalid_argument, "time pattern", fmt::format("'{}' is not a pattern letter", c));
    }
    std::size_t count = 1;
    while (i + count < pattern.size() && pattern[i + count] == c) ++count;
    if (count > kMaxCount) return fail(ErrorCode::invalid_argument, "time pattern", fmt::format("too many '{}'", c));
    out.fields_.push_back(Field{c, static_cast<int>(count), {}});
    if (c == 'S') out.shows_milliseconds_ = true;
    i += count;
  }
  return out;
}

void TimePattern::format(TextWriter& out, const TimeZone& zone, std::int64_t milliseconds) const {
  const std::int64_t second = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000;
  const auto fraction = static_cast<int>(milliseconds - second * 1000);
  const ZoneOffset offset = zone.at(second);
  const Civil time = civil_of(second + offset.seconds);
  const int hour = time.second_of_day / 3600;
  const auto put_year = [&](std::int64_t year, int count) {
    if (count == 2) {
      put_number(out, std::abs(year) % 100, 2);
    } else {
      put_number(out, year, count);
    }
  };
  const std::int64_t year_of_era = time.year > 0 ? time.year : 1 - time.year;
  for (const Field& field : fields_) {
    const int count = field.count;
    switch (field.letter) {
      case 0:
        out.append(field.text);
        break;
      case 'G':
        out.append(time.year > 0 ? "AD" : "BC");
        break;
      case 'C':
        put_number(out, year_of_era / 100, count);
        break;
      case 'y':
        put_year(time.year, count);
        break;
      case 'Y':
        put_year(year_of_era, count);
        break;
      case 'x':
        put_year(time.week_year, count);
        break;
      case 'M': {
        const std::string_view month = kMonths[static_cast<std::size_t>(time.month - 1)];
        if (count >= 3) {
          out.append(count >= 4 ? month : month.substr(0, 3));
        } else {
          put_number(out, time.month, count);
        }
        break;
      }
      case 'w':
        put_number(out, time.week, count);
        break;
      case 'D':
        put_number(out, time.day_of_year, count);
        break;
      case 'd':
        put_number(out, time.day, count);
        break;
      case 'e':
        put_number(out, time.weekday, count);
        break;
      case 'E': {
        const std::string_view day = kDays[static_cast<std::size_t>(time.weekday - 1)];
        out.append(count >= 4 ? day : day.substr(0, 3));
        break;
      }
      case 'a':
        out.append(hour < 12 ? "AM" : "PM");
        break;
      case 'K':
        put_number(out, hour % 12, count);
        break;
      case 'h':
        put_number(out, hour % 12 == 0 ? 12 : hour % 12, count);
        break;
      case 'H':
        put_number(out, hour, count);
        break;
      case 'k':
        put_number(out, hour == 0 ? 24 : hour, count);
        break;
      case 'm':
        put_number(out, time.second_of_day / 60 % 60, count);
        break;
      case 's':
        put_number(out, time.second_of_day % 60, count);
        break;
      case 'S': {
        const char digits[] = {static_cast<char>('0' + fraction / 100), static_cast<char>('0' + fraction / 10 % 10),
                               static_cast<char>('0' + fraction % 10)};
        for (int i = 0; i < count; ++i) out.push(i < 3 ? digits[i] : '0');
        break;
      }
      case 'z':
        if (count >= 4 && &zone == &TimeZone::utc()) {
          out.append("Coordinated Universal Time");
        } else {
          out.append(offset.abbreviation);
        }
        break;
      case 'Z':
        if (count >= 3) {
          out.append(zone.name());
        } else {
          put_offset(out, offset.seconds, count == 2);
        }
        break;
      default:
        break;
    }
  }
}

}  // namespace millrace::sql
