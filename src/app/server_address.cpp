#include "app/server_address.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "app/server_call.h"

namespace millrace::app {
namespace {

/// Of --user, or the variable.
Result<std::optional<kafka::Target::LogIn>> log_in_of(const Options& options) {
  const std::string user = user_of(options);
  if (user.empty()) return std::nullopt;
  const auto colon = user.find(':');
  if (colon == std::string::npos || colon == 0) {
    return fail(ErrorCode::invalid_argument, "", "--user is NAME:PASSWORD");
  }
  return kafka::Target::LogIn{user.substr(0, colon), user.substr(colon + 1)};
}

Result<std::shared_ptr<const net::TlsContext>> tls_of(const Options& options, const std::string& host) {
  if (!options.has("--tls") && !options.has("--ca")) return nullptr;
  net::TlsMaterial material;
  if (const std::string path = options.get("--ca"); !path.empty()) {
    std::ifstream in(path, std::ios::binary);
    material.authorities.assign(std::istreambuf_iterator<char>(in), {});
    if (material.authorities.empty()) return fail(ErrorCode::not_found, "cannot read", path);
  }
  MR_TRY_ASSIGN(std::shared_ptr<const net::TlsContext> context, net::TlsContext::client(material, host));
  return context;
}

}  // namespace

Result<kafka::Client> open_client(const Options& options) {
  const std::string where = options.get("--kafka", "127.0.0.1:9092");
  const auto colon = where.rfind(':');
  kafka::Target target{.host = where.substr(0, colon)};
  if (target.host.starts_with('[') && target.host.ends_with(']')) {
    target.host = target.host.substr(1, target.host.size() - 2);
  }
  if (colon != std::string::npos) {
    const char* const end = where.data() + where.size();
    const auto [stop, error] = std::from_chars(where.data() + colon + 1, end, target.port);
    if (error != std::errc{} || stop != end) {
      return fail(ErrorCode::invalid_argument, "--kafka is HOST:PORT", where);
    }
  }
  MR_TRY_ASSIGN(target.log_in, log_in_of(options));
  MR_TRY_ASSIGN(target.tls, tls_of(options, target.host));
  return kafka::Client::open(target);
}

std::string hint_for(const Error& error, const Options& options) {
  const bool wordless = error.code == ErrorCode::closed || error.code == ErrorCode::malformed;
  if (!wordless || (!user_of(options).empty() && options.has("--ca"))) return "";
  return "\nDoes this listener ask for a log-in or TLS? --user NAME:PASSWORD, --tls or --ca FILE";
}

}  // namespace millrace::app
