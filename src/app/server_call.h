// ServerCall: how a verb of the command line asks a running server over HTTP, with the log-in it may want.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "app/options.h"
#include "base/result.h"

namespace millrace::app {

/// Rows for a verb's options: --user and --ca.
inline constexpr OptionRow kUserOption = {
    "--user", "NAME:PASSWORD", "for a server with http.authentication (default: the variable MILLRACE_USER)"};
inline constexpr OptionRow kAuthorityOption = {
    "--ca", "FILE", "authorities that the server's certificate is checked against (default: the system's)"};

/// NAME:PASSWORD of --user, or of the variable MILLRACE_USER; empty: neither.
std::string user_of(const Options& options);

struct ServerCall {
  std::string method = "GET";
  std::string path{};
  std::string_view body{};
  std::string content_type = "application/json";
  std::chrono::milliseconds timeout{60'000};
  /// Where --url does not say.
  std::string_view server = "http://127.0.0.1:8080";
};

/// The body of a 2xx answer. `options` has --url, --user and --ca. Errors: those of the client; permission_denied (401:
/// says how to log in); invalid_argument with the server's own words.
Result<std::string> call_server(const Options& options, const ServerCall& call);

}  // namespace millrace::app
