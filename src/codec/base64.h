// Base64 (RFC 4648 section 4): the standard alphabet, padded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace millrace {

[[nodiscard]] constexpr std::size_t base64_size(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}
/// Writes base64_size(bytes.size()) characters to `to`.
void encode_base64(ByteView bytes, char* to);
/// Writes at most text.size() / 4 * 3 bytes to `to` and returns how many; nullopt unless `text` is complete, padded
/// base64 without anything else in it.
std::optional<std::size_t> decode_base64(std::string_view text, std::uint8_t* to);

/// The same into memory of their own, where a copy does not matter.
[[nodiscard]] std::string to_base64(ByteView bytes);
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);

}  // namespace millrace
