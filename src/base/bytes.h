// Views of bytes. Parameters only, or documented members: a view is never kept across an asynchronous step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace millrace {

using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::size_t operator""_KiB(unsigned long long n) {
  return n << 10U;
}
constexpr std::size_t operator""_MiB(unsigned long long n) {
  return n << 20U;
}
constexpr std::size_t operator""_GiB(unsigned long long n) {
  return n << 30U;
}

}  // namespace millrace
