// Hexadecimal digits (RFC 4648 section 8).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace millrace {

/// Two lower-case digits a byte.
[[nodiscard]] std::string to_hex(ByteView bytes);
/// Digits of either case; nullopt for anything else, an odd number of them included.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);

}  // namespace millrace
