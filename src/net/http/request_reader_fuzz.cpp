// Any bytes, whole and in pieces: RequestReader finds the same requests and the same refusal, and never takes more than
// it was given.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/http/request_reader.h"

namespace {

using millrace::net::http::ReadLimits;
using millrace::net::http::RequestReader;

std::string outcome(std::string_view bytes, std::size_t step) {
  RequestReader reader(ReadLimits{.head_bytes = 1024, .headers = 16, .body_bytes = 4096});
  std::string seen;
  std::string pending;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    pending += bytes.substr(at, step);
    for (;;) {
      const std::size_t used = reader.read(millrace::as_bytes(pending));
      if (used > pending.size()) std::abort();
      pending.erase(0, used);
      if (reader.state() == RequestReader::State::refused) return seen;
      if (reader.state() != RequestReader::State::complete) break;
      const auto request = reader.take();
      seen += request.method + " " + request.path + " " + request.body + "\n";
      for (const auto& [name, value] : request.headers) seen += name + ":" + value + "\n";
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t step = std::max<std::size_t>(1, data[0] % 32);
  // Beast may notice damage behind an unfinished element earlier when it sees more; what was complete before is the
  // same.
  const std::string whole = outcome(bytes, std::max<std::size_t>(1, bytes.size()));
  const std::string pieces = outcome(bytes, step);
  if (whole != pieces) std::abort();
  return 0;
}
