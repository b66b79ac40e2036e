// What an HTTP status means to whoever delivers records: taken, to be tried again, or refused for good. Pure.
#pragma once

#include <fmt/format.h>

#include "base/error.h"
#include "net/http/client.h"

namespace millrace::connect::http {

enum class Verdict : std::uint8_t {
  taken,
  later,         // 408, 429, 5xx: the same request may be taken another time
  refused,       // this request will never be taken
  unauthorized,  // 401, 403: none will be until credentials change
};

inline Verdict judge(const net::http::ClientResponse& response) {
  if (response.ok()) return Verdict::taken;
  if (response.status == 401 || response.status == 403) return Verdict::unauthorized;
  if (response.status == 408 || response.status == 429 || response.status >= 500) return Verdict::later;
  return Verdict::refused;
}

/// Requires a response that was not taken.
inline Error refusal(const net::http::ClientResponse& response) {
  const bool unauthorized = judge(response) == Verdict::unauthorized;
  return {unauthorized ? ErrorCode::permission_denied : ErrorCode::unavailable, "the HTTP endpoint refuses",
          fmt::format("{} {}", response.status, response.body.substr(0, 300))};
}

}  // namespace millrace::connect::http
