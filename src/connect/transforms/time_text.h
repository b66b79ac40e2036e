// Reading times back: text of a SimpleDateFormat pattern, in UTC unless the text says otherwise. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::connect {

/// Milliseconds since 1970. The letters y M d H h a m s S X Z z and quoted text are read; nullopt: the text is not of
/// this pattern, or the pattern has another letter.
std::optional<std::int64_t> parse_time_text(std::string_view pattern, std::string_view text);

}  // namespace millrace::connect
