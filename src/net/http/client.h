// Client: an HTTP/1.1 client for threads that may block (a sink's task). One connection is kept open between requests.
//
//   http::Client client({.request_timeout = 60s}, &stopping);
//   MR_TRY_ASSIGN(const auto answer, client.perform({.method = "PUT", .url = url, .headers = {...}, .body = bytes}));
//
// Redirects are not followed, no proxy or credential of the environment is used, only http and https are spoken, and
// https certificates are always checked. Thread: one at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "net/http/message.h"

namespace millrace::net::http {

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds request_timeout{60'000};  // from the first byte sent to the last received
  std::size_t max_response_bytes = std::size_t{64} << 20U;
  std::string ca_file{};  // empty: the system's
  std::string user_agent = "millrace";
};

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  Fields headers{};
  ByteView body{};        // must live until perform() returns
  bool has_body = false;  // send an empty body where body is empty (PUT, POST)
};

struct ClientResponse {
  int status = 0;
  Fields headers;  // names in lower case
  std::string body;
  /// The first value of the header, or empty. `name` in lower case.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] bool ok() const { return status >= 200 && status < 300; }
};

class Client {
 public:
  /// While `abort` is true a request under way ends with `closed`. `abort` may be null and outlives the client.
  explicit Client(ClientOptions options, const std::atomic<bool>* abort = nullptr);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Any status is a success. Errors: unavailable (no connection, or it broke: the request may have had its effect),
  /// timed_out, too_large (the answer), closed (aborted), invalid_argument (the URL). Blocks.
  Result<ClientResponse> perform(const ClientRequest& request);

  struct Handle;

 private:
  std::unique_ptr<Handle> handle_;
};

/// Several requests under way at once, each on a connection of its own. Thread: one at a time, without a thread of its
/// own: what is under way advances in every call.
class Requests {
 public:
  /// `most` slots. `abort` as for Client.
  Requests(const ClientOptions& options, std::size_t most, const std::atomic<bool>* abort = nullptr);
  ~Requests();
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  /// Begins to send in a free slot. The request's body lives until end(slot).
  void begin(std::size_t slot, const ClientRequest& request);
  /// Waits for the answer of what begin() began; the slot is free then. Errors: those of Client::perform.
  Result<ClientResponse> end(std::size_t slot);

 private:
  struct Multi;
  std::unique_ptr<Multi> multi_;
};

/// Everything but letters, digits and "-._~" as %XX in upper case (RFC 3986, as AWS asks); '/' stays when `keep_slash`.
std::string percent_encode(std::string_view text, bool keep_slash = false);

}  // namespace millrace::net::http
