// Quantities as people write them: sizes ("64MiB", "500kB", "1024") and durations ("5s", "250ms", "48h", "1500").
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::config {

/// A decimal integer with an optional minus; nothing around it.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// A whole number of bytes: B, KiB, MiB, GiB, TiB are powers of 1024, kB, MB, GB, TB of 1000; without a unit bytes. -1
/// is itself.
std::optional<std::int64_t> parse_size(std::string_view text);
/// The shortest exact spelling with a binary unit.
std::string format_size(std::int64_t bytes);

/// Milliseconds: ms, s, m, h, d; without a unit milliseconds. -1 is itself.
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
std::string format_duration_ms(std::int64_t milliseconds);

}  // namespace millrace::config
