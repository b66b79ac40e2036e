// What the texts of actions must look like once their templates are resolved: URLs, header names, file names, MQTT
// property values. Asked when a rule is made, of what is plain, and for every message, of what is not. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::rules {

inline constexpr std::string_view kNoUrl = "not a URL: http:// or https://, a host, no blanks, no credentials";
inline constexpr std::string_view kNoFileName =
    "a file name is 1 to 200 letters, digits, '.', '-', '_' and begins with none of the three";
inline constexpr std::string_view kNoFormatIndicator = "UNSPECIFIED_BYTES or UTF8_DATA";
inline constexpr std::string_view kNoExpiry = "seconds from 0 to 4294967295";

/// Host there, nothing that could end the request line, no user:password@.
[[nodiscard]] bool is_url(std::string_view text);
/// RFC 9110 section 5.1, without the headers that belong to the connection or to the client.
[[nodiscard]] bool is_header_name(std::string_view text);
/// No line end, no NUL.
[[nodiscard]] bool is_header_value(std::string_view text);
[[nodiscard]] bool is_file_name(std::string_view text);
/// UTF8_DATA is true.
[[nodiscard]] std::optional<bool> format_indicator(std::string_view text);
[[nodiscard]] std::optional<std::uint32_t> expiry_seconds(std::string_view text);

}  // namespace millrace::rules
