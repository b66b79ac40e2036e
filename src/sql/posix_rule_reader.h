// PosixRuleReader: the POSIX TZ text at the end of a TZif file ("CET-1CEST,M3.5.0,M10.5.0/3"), RFC 8536 section 3.3.
#pragma once

#include <string_view>

#include "sql/time_zone.h"

namespace millrace::sql {

class PosixRuleReader {
 public:
  explicit PosixRuleReader(std::string_view text) : text_(text) {}
  bool read(TimeZone::PosixRule& out);

 private:
  bool name(std::string& out);
  bool number(int limit, int& out);
  bool time(std::int32_t& out);  // [+-]h[h[h]][:mm[:ss]]
  bool change(TimeZone::Change& out);
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::string_view text_;
};

}  // namespace millrace::sql
