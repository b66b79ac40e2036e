#include "sql/posix_rule_reader.h"

namespace millrace::sql {

bool PosixRuleReader::name(std::string& out) {
  if (take('<')) {
    const std::size_t end = text_.find('>');
    if (end == std::string_view::npos) return false;
    out = std::string(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return true;
  }
  std::size_t size = 0;
  while (size < text_.size() && ((text_[size] | 0x20) >= 'a' && (text_[size] | 0x20) <= 'z')) ++size;
  out = std::string(text_.substr(0, size));
  text_.remove_prefix(size);
  return size >= 3;
}

bool PosixRuleReader::number(int limit, int& out) {
  out = 0;
  std::size_t size = 0;
  while (size < text_.size() && size < 4 && text_[size] >= '0' && text_[size] <= '9') {
    out = out * 10 + (text_[size] - '0');
    ++size;
  }
  text_.remove_prefix(size);
  return size != 0 && out <= limit;
}

bool PosixRuleReader::time(std::int32_t& out) {
  const bool minus = take('-');
  if (!minus) (void)take('+');
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  if (!number(167, hours)) return false;
  if (take(':')) {
    if (!number(59, minutes)) return false;
    if (take(':') && !number(59, seconds)) return false;
  }
  out = (hours * 60 + minutes) * 60 + seconds;
  if (minus) out = -out;
  return true;
}

bool PosixRuleReader::change(TimeZone::Change& out) {
  if (!take(',')) return false;
  if (take('M')) {
    out.kind = 'M';
    if (!number(12, out.month) || out.month == 0 || !take('.')) return false;
    if (!number(5, out.week) || out.week == 0 || !take('.') || !number(6, out.day)) return false;
  } else if (take('J')) {
    out.kind = 'J';
    if (!number(365, out.day) || out.day == 0) return false;
  } else {
    out.kind = '0';
    if (!number(365, out.day)) return false;
  }
  return !take('/') || time(out.second);
}

bool PosixRuleReader::read(TimeZone::PosixRule& out) {
  // POSIX counts west of Greenwich as positive.
  if (!name(out.standard.abbreviation) || !time(out.standard.seconds)) return false;
  out.standard.seconds = -out.standard.seconds;
  if (text_.empty()) return true;
  out.has_daylight = true;
  if (!name(out.daylight.abbreviation)) return false;
  out.daylight.seconds = out.standard.seconds + 3600;
  if (!text_.empty() && text_.front() != ',') {
    if (!time(out.daylight.seconds)) return false;
    out.daylight.seconds = -out.daylight.seconds;
  }
  return change(out.start) && change(out.end) && text_.empty();
}

}  // namespace millrace::sql
