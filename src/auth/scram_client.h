// ScramClient: the client's side of a SCRAM exchange (RFC 5802, RFC 7677), without channel binding.
//
//   send(client.first());  MR_TRY_ASSIGN(auto proof, client.final(receive()));  send(proof);  client.accepts(receive())
#pragma once

#include <string>
#include <string_view>

#include "auth/scram.h"

namespace millrace::auth {

class ScramClient {
 public:
  /// `nonce`: random and printable, without commas.
  ScramClient(ScramKind kind, std::string_view user, std::string password, std::string nonce);
  [[nodiscard]] std::string first() const { return "n,," + bare_; }
  /// The proof for the server's first message. Errors: malformed; permission_denied (its nonce does not begin with
  /// ours, or its iterations are outside kMinIterations to kMaxIterations: another server than we think).
  Result<std::string> final(std::string_view server_first);
  /// Whether the server proved that it knows the user, too.
  [[nodiscard]] bool accepts(std::string_view server_final) const {
    return !expected_.empty() && server_final == expected_;
  }

 protected:
  /// The proof with a nonce of the caller's choice.
  std::string prove(std::string_view server_first, std::string_view nonce, ByteView salt, std::uint32_t iterations);

 private:
  ScramKind kind_;
  std::string password_;
  std::string nonce_;
  std::string bare_;
  std::string expected_;
};

}  // namespace millrace::auth
