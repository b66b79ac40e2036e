#include "sql/time_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sql/time_zone.h"

namespace millrace::sql {

namespace {

constexpr std::string_view kLetters = "GuyMLDdEaHkKhmsSAnNXxZzV";
constexpr std::string_view kNumbers = "uyMLDdHkKhmsSAnN";
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kNano = 1'000'000'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_leap(std::int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/// Most letters in a row that a letter takes.
int most(char letter) {
  switch (letter) {
    case 'd':
    case 'H':
    case 'h':
    case 'K':
    case 'k':
    case 'm':
    case 's':
    case 'V':
      return 2;
    case 'D':
      return 3;
    case 'a':
      return 1;
    case 'S':
      return 9;
    case 'u':
    case 'y':
    case 'A':
    case 'n':
    case 'N':
      return 19;
    case 'z':
      return 4;
    default:
      return 5;
  }
}

bool is_number(char letter, int count) {
  return kNumbers.find(letter) != std::string_view::npos && !((letter == 'M' || letter == 'L') && count > 2);
}

}  // namespace

Result<TimeParser> TimeParser::compile(std::string_view pattern) {
  constexpr std::size_t kMaxPattern = 256;
  const auto refuse = [](std::string why) { return fail(ErrorCode::invalid_argument, "time pattern", std::move(why)); };
  if (pattern.empty()) return refuse("it is empty");
  if (pattern.size() > kMaxPattern) return refuse("longer than 256 characters");
  TimeParser out;
  const auto literal = [&out](std::string_view text) {
    if (out.fields_.empty() || out.fields_.back().letter != 0) out.fields_.emplace_back();
    out.fields_.back().text += text;
  };
  int open = 0;
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\'') {
      const std::size_t begin = i++;
      std::string text;
      while (i < pattern.size() && (pattern[i] != '\'' || (i + 1 < pattern.size() && pattern[i + 1] == '\''))) {
        if (pattern[i] == '\'') ++i;
        text += pattern[i++];
      }
      if (i >= pattern.size()) return refuse("a quote without its end");
      ++i;
      literal(i - begin == 2 ? "'" : text);
      continue;
    }
    if (c == '[' || c == ']') {
      open += c == '[' ? 1 : -1;
      if (open < 0) return refuse("']' without '['");
      out.fields_.push_back(Field{c, 1, 0, false, {}});
      ++i;
      continue;
    }
    if (c == '{' || c == '}' || c == '#') return refuse(fmt::format("'{}' is reserved", c));
    if (!is_letter(c)) {
      literal(pattern.substr(i++, 1));
      continue;
    }
    if (kLetters.find(c) == std::string_view::npos)
      return refuse(fmt::format("'{}' is no letter of a time pattern here", c));
    std::size_t count = 1;
    while (i + count < pattern.size() && pattern[i + count] == c) ++count;
    if (static_cast<int>(count) > most(c) || (c == 'V' && count != 2))
      return refuse(fmt::format("too many '{}', or too few", c));
    out.fields_.push_back(Field{c, static_cast<int>(count), 0, false, {}});
    i += count;
  }
  // Numbers of fixed width right behind a number reserve their digits of it.
  Field* first = nullptr;
  for (Field& field : out.fields_) {
    const bool number = is_number(field.letter, field.count);
    field.fixed =
        number && (field.letter == 'S' || (field.letter == 'u' || field.letter == 'y'
                                               ? field.count == 2
                                               : field.count == 2 || (field.letter == 'D' && field.count == 3)));
    if (first != nullptr && field.fixed && field.letter != 'S') {
      first->reserved += field.count;
    } else {
      first = number && field.letter != 'S' && !field.fixed ? &field : nullptr;
    }
  }
  return out;
}

/// One text being read: where the reading stands, and the fields found so far.
class TimeReading {
 public:
  TimeReading(const TimeParser& parser, std::string_view text) : fields_(parser.fields_), text_(text) {}

  std::optional<std::int64_t> run() {
    if (!read(0, fields_.size()) || at_ != text_.size()) return std::nullopt;
    return resolve();
  }

 private:
  using Field = TimeParser::Field;
  struct Found {
    std::optional<std::int64_t> era, year, year_of_era, month, day, day_of_year, weekday, half, hour, clock_hour,
        half_hour, clock_half_hour, minute, second, nano, milli_of_day, nano_of_day;
    std::optional<std::int32_t> offset;
    const TimeZone* zone = nullptr;
  };

  bool read(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (fields_[i].letter != '[') {
        if (!read_field(fields_[i])) return false;
        continue;
      }
      std::size_t end = i + 1;
      for (int open = 1; end < to; ++end) {
        open += fields_[end].letter == '[' ? 1 : fields_[end].letter == ']' ? -1 : 0;
        if (open == 0) break;
      }
      // What is not there, or not whole, is as if it were not in the pattern.
      const std::size_t before = at_;
      const Found found = found_;
      if (!read(i + 1, end)) {
        at_ = before;
        found_ = found;
      }
      i = end;
    }
    return true;
  }

  bool read_field(const Field& field) {
    switch (field.letter) {
      case 0:
        return take(field.text);
      case 'G':
        return text_of(field.count == 4   ? std::array<std::string_view, 2>{"Before Christ", "Anno Domini"}
                       : field.count == 5 ? std::array<std::string_view, 2>{"B", "A"}
                                          : std::array<std::string_view, 2>{"BC", "AD"},
                       found_.era, 0);
      case 'u':
        return year(field, found_.year);
      case 'y':
        return year(field, found_.year_of_era);
      case 'M':
      case 'L':
        return field.count < 3 ? number(field, found_.month) : name_of(kMonths, field.count, found_.month);
      case 'D':
        return field.fixed || field.count == 1 ? number(field, found_.day_of_year) : day_of_year(field);
      case 'd':
        return number(field, found_.day);
      case 'E':
        return name_of(kDays, std::max(field.count, 3), found_.weekday);
      case 'a':
        return text_of(std::array<std::string_view, 2>{"AM", "PM"}, found_.half, 0);
      case 'H':
        return number(field, found_.hour);
      case 'k':
        return number(field, found_.clock_hour);
      case 'K':
        return number(field, found_.half_hour);
      case 'h':
        return number(field, found_.clock_half_hour);
      case 'm':
        return number(field, found_.minute);
      case 's':
        return number(field, found_.second);
      case 'S':
        return fraction(field);
      case 'A':
        return number(field, found_.milli_of_day);
      case 'n':
        return number(field, found_.nano);
      case 'N':
        return number(field, found_.nano_of_day);
      case 'X':
      case 'x':
      case 'Z':
        return offset_field(field);
      default:
        return zone_name();
    }
  }

  bool take(std::string_view literal) {
    if (!text_.substr(at_).starts_with(literal)) return false;
    at_ += literal.size();
    return true;
  }

  /// The same field twice must say the same.
  static bool put(std::optional<std::int64_t>& to, std::int64_t value) {
    if (to && *to != value) return false;
    to = value;
    return true;
  }

  template <std::size_t kSize>
  bool text_of(const std::array<std::string_view, kSize>& names, std::optional<std::int64_t>& to, std::int64_t base) {
    const std::string_view rest = text_.substr(at_);
    std::size_t best = kSize;
    for (std::size_t i = 0; i < kSize; ++i) {
      if (rest.starts_with(names[i]) && (best == kSize || names[i].size() > names[best].size())) best = i;
    }
    if (best == kSize) return false;
    at_ += names[best].size();
    return put(to, static_cast<std::int64_t>(best) + base);
  }
  template <std::size_t kSize>
  bool name_of(const std::array<std::string_view, kSize>& names, int count, std::optional<std::int64_t>& to) {
    std::array<std::string_view, kSize> shown = names;
    for (auto& name : shown) name = name.substr(0, count == 3 ? 3 : count == 5 ? 1 : name.size());
    return text_of(shown, to, 1);
  }

  /// Up to 19 digits, fewer when those behind need some.
  bool digits(std::size_t least, std::size_t most_digits, std::size_t reserved, std::int64_t& value) {
    std::size_t count = 0;
    while (count < most_digits + reserved && at_ + count < text_.size() && is_digit(text_[at_ + count])) ++count;
    count = count > reserved ? std::min(most_digits, count - reserved) : std::min(count, least);
    count = std::max(count, std::min<std::size_t>(least, count));
    if (count < least || count == 0 || count > 18) return false;
    value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value * 10 + (text_[at_ + i] - '0');
    at_ += count;
    read_digits_ = count;
    return true;
  }
  bool number(const Field& field, std::optional<std::int64_t>& to) {
    const auto count = static_cast<std::size_t>(field.count);
    const bool wide = !field.fixed && (field.letter == 'A' || field.letter == 'n' || field.letter == 'N');
    bool minus = false;
    if (!field.fixed && !wide) {
      minus = at_ < text_.size() && text_[at_] == '-';
      if (minus) ++at_;
    }
    std::int64_t value = 0;
    const std::size_t most_digits = field.fixed ? count : 19;
    if (!digits(field.fixed || wide ? count : 1, most_digits, static_cast<std::size_t>(field.reserved), value))
      return false;
    return !(minus && value == 0) && put(to, minus ? -value : value);
  }
  bool day_of_year(const Field& field) {
    std::int64_t value = 0;
    return digits(static_cast<std::size_t>(field.count), 3, 0, value) && put(found_.day_of_year, value);
  }
  /// Two letters: 2000 to 2099. Four and more: a sign when there are more digits than letters.
  bool year(const Field& field, std::optional<std::int64_t>& to) {
    const auto count = static_cast<std::size_t>(field.count);
    std::int64_t value = 0;
    if (count == 2) return digits(2, 2, 0, value) && put(to, 2000 + value);
    char sign = 0;
    if (at_ < text_.size() && (text_[at_] == '-' || (text_[at_] == '+' && count >= 4))) sign = text_[at_++];
    if (!digits(count, 19, static_cast<std::size_t>(field.reserved), value)) return false;
    if (sign == '+' && read_digits_ <= count) return false;
    if (sign == 0 && count >= 4 && read_digits_ > count) return false;
    if (sign == '-' && value == 0) return false;
    return put(to, sign == '-' ? -value : value);
  }
  bool fraction(const Field& field) {
    std::int64_t value = 0;
    if (!digits(static_cast<std::size_t>(field.count), static_cast<std::size_t>(field.count), 0, value)) return false;
    for (int i = field.count; i < 9; ++i) value *= 10;
    return put(found_.nano, value);
  }

  bool two(std::int64_t& value, std::int64_t below) { return digits(2, 2, 0, value) && value < below; }
  /// X and x: +HHmm, +HHMM, +HH:MM, +HHMMss, +HH:MM:ss; X has Z for zero. Z as xx, five of them as XXXXX.
  bool offset_field(const Field& field) {
    const int form = field.letter == 'Z' ? (field.count == 5 ? 5 : 2) : field.count;
    if (field.letter == 'Z' && field.count == 4) return localized_offset();
    if ((field.letter == 'X' || form == 5) && field.letter != 'x' && take("Z")) return put_offset(0);
    const char sign = at_ < text_.size() ? text_[at_] : '\0';
    if (sign != '+' && sign != '-') return false;
    ++at_;
    std::int64_t hours = 0;
    std::int64_t minutes = 0;
    std::int64_t seconds = 0;
    const bool colon = form == 3 || form == 5;
    const auto more = [&] { return at_ < text_.size() && (colon ? text_[at_] == ':' : is_digit(text_[at_])); };
    if (!two(hours, 19)) return false;
    if (form > 1 || more()) {
      if (colon && !take(":")) return false;
      if (!two(minutes, 60)) return false;
    }
    if (form > 3 && more()) {
      if (colon) ++at_;
      if (!two(seconds, 60)) return false;
    }
    const auto total = static_cast<std::int32_t>(hours * 3600 + minutes * 60 + seconds);
    return put_offset(sign == '-' ? -total : total);
  }
  bool put_offset(std::int32_t seconds) {
    if (std::abs(seconds) > 18 * 3600 || (found_.offset && *found_.offset != seconds)) return false;
    found_.offset = seconds;
    return true;
  }
  bool localized_offset() {
    if (!take("GMT")) return false;
    const char sign = at_ < text_.size() ? text_[at_] : '\0';
    if (sign != '+' && sign != '-') return put_offset(0);
    const Field field{'x', 5, 0, false, {}};
    return offset_field(field);
  }

  /// A region, Z, UTC, GMT or UT with or without an offset, or an offset alone.
  bool zone_name() {
    std::size_t end = at_;
    const auto fits = [](char c) {
      return is_letter(c) || is_digit(c) || c == '/' || c == '_' || c == '-' || c == '+' || c == ':';
    };
    while (end < text_.size() && fits(text_[end])) ++end;
    // The longest name that is one.
    for (; end > at_; --end) {
      std::string_view name = text_.substr(at_, end - at_);
      std::string_view offset = name;
      for (const std::string_view prefix : {"UTC", "GMT", "UT"}) {
        if (name.starts_with(prefix) && name.size() > prefix.size() &&
            (name[prefix.size()] == '+' || name[prefix.size()] == '-')) {
          offset = name.substr(prefix.size());
          break;
        }
      }
      // As the JDK reads it, an offset has its colon.
      const bool signed_offset = offset.front() == '+' || offset.front() == '-';
      if (signed_offset && offset.find(':') == std::string_view::npos) continue;
      const TimeZone* const zone = name == "UT" ? &TimeZone::utc() : TimeZone::find(offset);
      if (zone == nullptr) continue;
      if (found_.zone != nullptr && found_.zone != zone) return false;
      found_.zone = zone;
      at_ = end;
      return true;
    }
    return false;
  }

  static bool between(const std::optional<std::int64_t>& value, std::int64_t low, std::int64_t high) {
    return !value || (*value >= low && *value <= high);
  }

  std::optional<std::int64_t> resolve() {
    const auto day = resolve_date();
    const auto nano = resolve_time();
    if (!day || !nano) return std::nullopt;
    const std::int64_t local = *day * kDay + *nano / kNano;
    const std::int64_t milli = *nano % kNano / 1'000'000;
    std::int64_t offset = 0;
    if (found_.offset) {
      offset = *found_.offset;
    } else if (found_.zone != nullptr) {
      offset = offset_of(*found_.zone, local);
    }
    return (local - offset) * 1000 + milli;
  }

  /// Where clocks were put back the earlier of the two, where they were put forward the one before.
  static std::int64_t offset_of(const TimeZone& zone, std::int64_t local) {
    const std::int64_t before = zone.at(local - kDay).seconds;
    const std::int64_t after = zone.at(local + kDay).seconds;
    for (const std::int64_t offset : {std::max(before, after), std::min(before, after)}) {
      if (zone.at(local - offset).seconds == offset) return offset;
    }
    return before;
  }

  std::optional<std::int64_t> resolve_date() {
    Found& found = found_;
    if (!between(found.month, 1, 12) || !between(found.day, 1, 31) || !between(found.day_of_year, 1, 366) ||
        !between(found.year, -999'999'999, 999'999'999) || !between(found.year_of_era, 1, 999'999'999)) {
      return std::nullopt;
    }
    if (found.year_of_era) {
      const bool before_christ = found.era && *found.era == 0;
      if (!put(found.year, before_christ ? 1 - *found.year_of_era : *found.year_of_era)) return std::nullopt;
    }
    if (!found.year) return std::nullopt;
    if (found.era && !found.year_of_era && (*found.era == 1) != (*found.year > 0)) return std::nullopt;
    std::optional<std::int64_t> days;
    if (found.month && found.day) {
      std::int64_t last = 31;
      if (*found.month == 2) last = is_leap(*found.year) ? 29 : 28;
      if (*found.month == 4 || *found.month == 6 || *found.month == 9 || *found.month == 11) last = 30;
      days = days_from_civil(*found.year, static_cast<unsigned>(*found.month),
                             static_cast<unsigned>(std::min(*found.day, last)));
    }
    if (found.day_of_year && !days) {
      if (*found.day_of_year == 366 && !is_leap(*found.year)) return std::nullopt;
      days = days_from_civil(*found.year, 1, 1) + *found.day_of_year - 1;
    } else if (found.day_of_year && *days - days_from_civil(*found.year, 1, 1) + 1 != *found.day_of_year) {
      return std::nullopt;
    }
    if (!days) return std::nullopt;
    if (found.weekday && ((*days + 3) % 7 + 7) % 7 + 1 != *found.weekday) return std::nullopt;
    return days;
  }

  /// Nanoseconds of the day; a day's length for 24:00.
  std::optional<std::int64_t> resolve_time() {
    Found& found = found_;
    if (!between(found.hour, 0, 24) || !between(found.clock_hour, 0, 24) || !between(found.half_hour, 0, 11) ||
        !between(found.clock_half_hour, 0, 12) || !between(found.minute, 0, 59) || !between(found.second, 0, 59) ||
        !between(found.nano, 0, kNano - 1) || !between(found.milli_of_day, 0, kDay * 1000 - 1) ||
        !between(found.nano_of_day, 0, kDay * kNano - 1)) {
      return std::nullopt;
    }
    if (found.clock_hour && !put(found.hour, *found.clock_hour % 24)) return std::nullopt;
    if (found.clock_half_hour && !put(found.half_hour, *found.clock_half_hour % 12)) return std::nullopt;
    if (found.half && found.half_hour && !put(found.hour, *found.half * 12 + *found.half_hour)) return std::nullopt;
    if (found.half_hour && !found.half) return std::nullopt;
    if (found.nano_of_day) return found.nano_of_day;
    if (found.milli_of_day) return *found.milli_of_day * 1'000'000;
    const bool none = !found.hour && !found.minute && !found.second && !found.nano;
    if (none) return 0;
    const bool gap = (!found.minute && (found.second || found.nano)) || (!found.second && found.nano);
    if (!found.hour || gap) return std::nullopt;
    const std::int64_t seconds = *found.hour * 3600 + found.minute.value_or(0) * 60 + found.second.value_or(0);
    const std::int64_t nano = seconds * kNano + found.nano.value_or(0);
    if (nano > kDay * kNano) return std::nullopt;
    return nano;
  }

  const std::vector<Field>& fields_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t read_digits_ = 0;
  Found found_;
};

std::optional<std::int64_t> TimeParser::parse(std::string_view text) const {
  constexpr std::size_t kMaxText = 256;
  if (text.size() > kMaxText) return std::nullopt;
  return TimeReading(*this, text).run();
}

}  // namespace millrace::sql
