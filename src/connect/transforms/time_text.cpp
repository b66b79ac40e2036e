#include "connect/transforms/time_text.h"

#include <algorithm>
#include <array>
#include <string>

#include "connect/settings/settings.h"
#include "sql/time_zone.h"

namespace millrace::connect {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};

class Text {
 public:
  explicit Text(std::string_view text) : rest_(text) {}
  bool literal(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// A run of digits, `width` of them when another field follows at once, else as many as there are (at most 18).
  std::optional<std::int64_t> number(std::size_t width) {
    std::int64_t value = 0;
    std::size_t count = 0;
    while (count < width && count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      value = value * 10 + (rest_[count++] - '0');
    }
    if (count == 0) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }
  std::string_view word() {
    std::size_t count = 0;
    while (count < rest_.size() && ((rest_[count] | 0x20) >= 'a' && (rest_[count] | 0x20) <= 'z')) ++count;
    const std::string_view found = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return found;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

struct Fields {
  std::int64_t year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0, offset = 0;
  bool half = false;
  bool afternoon = false;
};

bool read_zone(Text& text, Fields& fields) {
  if (const std::string_view name = text.word(); !name.empty()) {
    const std::string upper(name);
    return upper == "Z" || upper == "UTC" || upper == "GMT";
  }
  const bool minus = text.rest().starts_with('-');
  if (!text.literal('+') && !text.literal('-')) return false;
  const auto hours = text.number(2);
  text.literal(':');
  const auto minutes = text.number(2);
  if (!hours) return false;
  fields.offset = (*hours * 60 + minutes.value_or(0)) * (minus ? -60 : 60);
  return true;
}

bool read_month(Text& text, std::size_t count, std::size_t width, Fields& fields) {
  if (count <= 2) {
    const auto number = text.number(width);
    fields.month = number.value_or(0);
    return number.has_value();
  }
  const std::string name = lower_case(text.word()).substr(0, 3);
  const auto found = std::ranges::find(kMonths, name);
  fields.month = found - kMonths.begin() + 1;
  return found != kMonths.end();
}

bool read_field(char letter, std::size_t count, std::size_t width, Text& text, Fields& fields) {
  std::int64_t* target = nullptr;
  switch (letter) {
    case 'y':
      target = &fields.year;
      break;
    case 'M':
      return read_month(text, count, width, fields);
    case 'd':
      target = &fields.day;
      break;
    case 'h':
      fields.half = true;
      target = &fields.hour;
      break;
    case 'H':
      target = &fields.hour;
      break;
    case 'm':
      target = &fields.minute;
      break;
    case 's':
      target = &fields.second;
      break;
    case 'S':
      target = &fields.ms;
      break;
    case 'a': {
      const std::string word = lower_case(text.word());
      fields.afternoon = word == "pm";
      return word == "am" || word == "pm";
    }
    case 'X':
    case 'Z':
    case 'z':
      return read_zone(text, fields);
    default:
      return false;
  }
  const auto number = text.number(width);
  if (!number) return false;
  *target = *number;
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_time_text(std::string_view pattern, std::string_view input) {
  Text text(input);
  Fields fields;
  const auto is_letter = [](char c) { return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); };
  for (std::size_t i = 0; i < pattern.size();) {
    if (pattern[i] == '\'') {
      if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
        if (!text.literal('\'')) return std::nullopt;
        i += 2;
        continue;
      }
      for (++i; i < pattern.size() && pattern[i] != '\''; ++i) {
        if (!text.literal(pattern[i])) return std::nullopt;
      }
      ++i;
      continue;
    }
    if (!is_letter(pattern[i])) {
      if (!text.literal(pattern[i++])) return std::nullopt;
      continue;
    }
    const char letter = pattern[i];
    std::size_t count = 0;
    while (i < pattern.size() && pattern[i] == letter) ++i, ++count;
    const bool field_follows = i < pattern.size() && is_letter(pattern[i]);
    if (!read_field(letter, count, field_follows ? count : 18, text, fields)) return std::nullopt;
  }
  if (!text.rest().empty()) return std::nullopt;
  if (fields.half) fields.hour = fields.hour % 12 + (fields.afternoon ? 12 : 0);
  if (fields.year > 9'999'999 || fields.month < 1 || fields.month > 12 || fields.day < 1 || fields.day > 31 ||
      fields.hour > 24 || fields.minute > 59 || fields.second > 60 || fields.ms > 999) {
    return std::nullopt;
  }
  const std::int64_t days =
      sql::days_from_civil(fields.year, static_cast<unsigned>(fields.month), static_cast<unsigned>(fields.day));
  return (days * 86'400 + fields.hour * 3600 + fields.minute * 60 + fields.second - fields.offset) * 1000 + fields.ms;
}

}  // namespace millrace::connect
