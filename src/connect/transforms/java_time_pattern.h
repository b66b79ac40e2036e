// Patterns of java.text.SimpleDateFormat, which TimestampRouter and TimestampConverter take, as sql::TimePattern (Joda)
// has them: the letters agree but for X (ISO 8601 zones, Joda's Z) and u (number of the weekday, Joda's e).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sql/time_pattern.h"

namespace millrace::connect {

inline Result<sql::TimePattern> compile_java_pattern(std::string_view java) {
  std::string joda;
  bool quoted = false;
  for (std::size_t i = 0; i < java.size(); ++i) {
    const char c = java[i];
    if (c == '\'') quoted = !quoted;
    if (!quoted && c == 'X') {
      std::size_t count = 1;
      while (i + 1 < java.size() && java[i + 1] == 'X') ++i, ++count;
      joda += count >= 3 ? "ZZ" : "Z";
    } else {
      joda += !quoted && c == 'u' ? 'e' : c;
    }
  }
  return sql::TimePattern::compile(joda);
}

}  // namespace millrace::connect
