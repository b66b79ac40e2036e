// ScramClient: the client's side of RFC 5802, for tests.
#pragma once

#include <string>
#include <string_view>

#include "auth/scram.h"

namespace millrace::auth::testing {

class ScramClient {
 public:
  ScramClient(ScramKind kind, std::string_view user, std::string password);
  [[nodiscard]] std::string first() const { return "n,," + bare_; }
  /// The proof for the server's first message. `twice`: with the client's nonce twice, as librdkafka before 2.5 does.
  [[nodiscard]] std::string final(std::string_view server_first, bool twice = false);
  /// Whether the server proved that it knows the user.
  [[nodiscard]] bool accepts(std::string_view server_final) const { return server_final == expected_; }

 private:
  ScramKind kind_;
  std::string password_;
  std::string bare_;
  std::string expected_;
};

}  // namespace millrace::auth::testing
