#include "model/ids.h"

#include "base/endian.h"

namespace millrace {

std::string Uuid::to_string() const {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const std::uint8_t byte : bytes) {
    bits = (bits << 8U) | byte;
    count += 8;
    while (count >= 6) {
      count -= 6;
      text += kAlphabet[(bits >> static_cast<unsigned>(count)) & 0x3FU];
    }
  }
  if (count > 0) text += kAlphabet[(bits << static_cast<unsigned>(6 - count)) & 0x3FU];
  return text;
}

Uuid Uuid::from_random(std::uint64_t high, std::uint64_t low) {
  Uuid uuid;
  store_be(uuid.bytes.data(), (high & ~0xF000ULL) | 0x4000ULL);
  store_be(uuid.bytes.data() + 8, (low & ~(3ULL << 62U)) | (2ULL << 62U));
  return uuid;
}

}  // namespace millrace
