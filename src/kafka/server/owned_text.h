// Text of a decoded message, copied out of its frame: what crosses to another loop must own what it says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace::kafka {

[[nodiscard]] inline std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}
[[nodiscard]] inline std::string owned(ByteView bytes) {
  return std::string(as_text(bytes));
}

}  // namespace millrace::kafka
