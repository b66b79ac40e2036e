// ByteWriter: appends integers, varints and bytes to a Buffer.
#pragma once

#include <concepts>
#include <cstdint>

#include "base/buffer.h"
#include "base/endian.h"

namespace millrace {

/// Bytes that the unsigned LEB128 form of `value` takes (1 to 10).
[[nodiscard]] constexpr std::size_t uvarint_size(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7U;
    ++size;
  }
  return size;
}
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
[[nodiscard]] constexpr std::size_t varint_size(std::int64_t value) {
  return uvarint_size(zigzag(value));
}

/// Writes LEB128 at `at` (room for 10 bytes); returns the end.
inline std::uint8_t* put_uvarint(std::uint8_t* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<std::uint8_t>(value | 0x80U);
    value >>= 7U;
  }
  *at++ = static_cast<std::uint8_t>(value);
  return at;
}
inline std::uint8_t* put_varint(std::uint8_t* at, std::int64_t value) {
  return put_uvarint(at, zigzag(value));
}

class ByteWriter {
 public:
  explicit ByteWriter(Buffer& out) : out_(out) {}

  template <std::integral T>
  void be(T value) {
    store_be(out_.prepare(sizeof value), value);
    out_.commit(sizeof value);
  }
  template <std::integral T>
  void le(T value) {
    store_le(out_.prepare(sizeof value), value);
    out_.commit(sizeof value);
  }
  void u8(std::uint8_t value) { out_.push_back(value); }
  void bytes(ByteView view) { out_.append(view); }
  void text(std::string_view view) { out_.append(view); }
  void uvarint(std::uint64_t value) {
    std::uint8_t* at = out_.prepare(10);
    out_.commit(static_cast<std::size_t>(put_uvarint(at, value) - at));
  }
  void varint(std::int64_t value) { uvarint(zigzag(value)); }
  [[nodiscard]] Buffer& buffer() { return out_; }

 private:
  Buffer& out_;
};

}  // namespace millrace
