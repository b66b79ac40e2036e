// Bytes written for people, for tests: hex digits, spaces ignored, text between single quotes: "0004 'MQTT' 05".
#pragma once

#include <string>
#include <string_view>

#include "base/buffer.h"

namespace millrace::mqtt::testing {

inline std::string from_hex(std::string_view text) {
  std::string out;
  bool quoted = false;
  int high = -1;
  for (const char c : text) {
    if (c == '\'') {
      quoted = !quoted;
    } else if (quoted) {
      out += c;
    } else if (c != ' ' && c != '\n') {
      const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
      if (high < 0) {
        high = digit;
      } else {
        out += static_cast<char>(high * 16 + digit);
        high = -1;
      }
    }
  }
  return out;
}

inline std::string to_hex(ByteView bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

/// A whole packet from its first byte and its body: the remaining length is put between them.
inline std::string with_length(std::uint8_t first, std::string_view body) {
  std::string out(1, static_cast<char>(first));
  std::size_t left = body.size();
  do {
    const auto low = static_cast<unsigned char>(left & 0x7FU);
    left >>= 7U;
    out += static_cast<char>(left != 0 ? low | 0x80U : low);
  } while (left != 0);
  out += body;
  return out;
}

}  // namespace millrace::mqtt::testing
