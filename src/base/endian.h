// Loads and stores of integers at any address. Kafka and MQTT are big-endian on the wire; millrace's own files are
// little-endian.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace millrace {

template <std::integral T>
[[nodiscard]] inline T load_be(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}
template <std::integral T>
inline void store_be(std::uint8_t* at, T value) {
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  std::memcpy(at, &value, sizeof value);
}
template <std::integral T>
[[nodiscard]] inline T load_le(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::big ? std::byteswap(value) : value;
}
template <std::integral T>
inline void store_le(std::uint8_t* at, T value) {
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace millrace
