// Retry-After: how long an HTTP server asks to be left alone (RFC 9110 section 10.2.3), in its form of seconds. Pure.
#pragma once

#include <charconv>
#include <chrono>
#include <optional>

#include "net/http/client.h"

namespace millrace::connect {

inline std::optional<std::chrono::milliseconds> retry_after(const net::http::ClientResponse& response) {
  const std::string_view text = response.header("retry-after");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || seconds < 0 || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace millrace::connect
