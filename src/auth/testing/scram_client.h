// ScramClient as tests want it: a fixed nonce, no errors, and a quirk of old clients.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "auth/scram_client.h"

namespace millrace::auth::testing {

class ScramClient : public auth::ScramClient {
 public:
  ScramClient(ScramKind kind, std::string_view user, std::string password)
      : auth::ScramClient(kind, user, std::move(password), "client") {}
  /// The proof for the server's first message, or nothing.
  std::string final(std::string_view server_first) { return auth::ScramClient::final(server_first).value_or(""); }
  /// With the client's nonce twice, as librdkafka before 2.5 does.
  std::string final_with_nonce_twice(std::string_view server_first, const ScramCredential& known) {
    const std::string_view nonce = server_first.substr(2, server_first.find(",s=") - 2);
    return prove(server_first, "client" + std::string(nonce), known.salt, known.iterations);
  }
};

}  // namespace millrace::auth::testing
