// ByteReader: the one bounds-checked way to take bytes from outside apart.
//
// Errors are sticky: after the first read past the end every read returns zero or an empty view and ok() is false, so a
// decoder reads a whole structure and checks once. A count from outside is never trusted for an allocation: use
// `fits(count, min_bytes)`.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/endian.h"

namespace millrace {

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] const std::uint8_t* position() const { return at_; }
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  /// True when `count` items of at least `min_bytes` each can still be there.
  [[nodiscard]] bool fits(std::uint64_t count, std::size_t min_bytes) const {
    return min_bytes == 0 || count <= remaining() / min_bytes;
  }

  template <std::integral T>
  T be() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail();
      return T{};
    }
    const T value = load_be<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  template <std::integral T>
  T le() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail();
      return T{};
    }
    const T value = load_le<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  std::uint8_t u8() { return be<std::uint8_t>(); }
  ByteView bytes(std::size_t count) {
    if (remaining() < count) [[unlikely]] {
      fail();
      return {};
    }
    const ByteView view(at_, count);
    at_ += count;
    return view;
  }
  std::string_view text(std::size_t count) { return as_text(bytes(count)); }
  void skip(std::size_t count) { (void)bytes(count); }

  /// Unsigned LEB128, at most `max_bytes` long (5 for 32 bits, 10 for 64). Over-long input fails.
  std::uint64_t uvarint(int max_bytes = 10) {
    std::uint64_t value = 0;
    for (int i = 0; i < max_bytes; ++i) {
      const std::uint8_t byte = u8();
      if (!ok_) return 0;
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7 * i);
      if ((byte & 0x80U) == 0) return value;
    }
    fail();
    return 0;
  }
  /// Zig-zag varint as Kafka records use it.
  std::int64_t varint(int max_bytes = 10) {
    const std::uint64_t raw = uvarint(max_bytes);
    return static_cast<std::int64_t>(raw >> 1U) ^ -static_cast<std::int64_t>(raw & 1U);
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool ok_ = true;
};

}  // namespace millrace
