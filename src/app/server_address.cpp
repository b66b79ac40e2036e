#include "app/server_address.h"

#include <charconv>

namespace millrace::app {

Result<kafka::Client> open_client(const Options& options) {
  const std::string where = options.get("--kafka", "127.0.0.1:9092");
  const auto colon = where.rfind(':');
  std::string host = where.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 9092;
  if (colon != std::string::npos) {
    const char* const end = where.data() + where.size();
    const auto [stop, error] = std::from_chars(where.data() + colon + 1, end, port);
    if (error != std::errc{} || stop != end) {
      return fail(ErrorCode::invalid_argument, "--kafka is HOST:PORT", where);
    }
  }
  return kafka::Client::open(host, port);
}

}  // namespace millrace::app
