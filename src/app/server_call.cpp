#include "app/server_call.h"

#include <cstdlib>

#include "codec/base64.h"
#include "connect/json_members.h"
#include "net/http/client.h"

namespace millrace::app {

std::string user_of(const Options& options) {
  const char* const from_environment = std::getenv("MILLRACE_USER");
  return options.get("--user", from_environment == nullptr ? "" : from_environment);
}

Result<std::string> call_server(const Options& options, const ServerCall& call) {
  net::http::Client client({.request_timeout = call.timeout, .ca_file = options.get("--ca")});
  const std::string user = user_of(options);
  net::http::Fields headers{{"Content-Type", call.content_type}};
  if (!user.empty()) headers.emplace_back("Authorization", "Basic " + to_base64(as_bytes(user)));
  MR_TRY_ASSIGN(const auto answer, client.perform({.method = call.method,
                                                   .url = options.get("--url", call.server) + call.path,
                                                   .headers = std::move(headers),
                                                   .body = as_bytes(call.body),
                                                   .has_body = call.method != "GET"}));
  if (answer.ok()) return answer.body;
  constexpr int kUnauthorized = 401;
  if (answer.status == kUnauthorized) {
    return fail(ErrorCode::permission_denied, "", "the server asks for a log-in: --user NAME:PASSWORD of a super user");
  }
  sql::JsonDocument document;
  const std::string message =
      document.parse(answer.body) ? connect::member_text(connect::root_of(document), "message") : answer.body;
  return fail(ErrorCode::invalid_argument, "", message.empty() ? std::to_string(answer.status) : message);
}

}  // namespace millrace::app
