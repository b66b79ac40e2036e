// take_digits: a number of a fixed width from the front of a text, as dates have them. Pure. Thread: any.
#pragma once

#include <cstddef>
#include <string_view>

namespace millrace {

/// Exactly `digits` decimal digits (at most 9, no sign) from the front of `text`, which moves behind them. False: there
/// are none, and nothing has changed.
template <class Number>
bool take_digits(std::string_view& text, std::size_t digits, Number& value) {
  if (text.size() < digits) return false;
  Number taken = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return false;
    taken = static_cast<Number>(taken * 10 + (c - '0'));
  }
  text.remove_prefix(digits);
  value = taken;
  return true;
}

}  // namespace millrace
