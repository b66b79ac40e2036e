#include "auth/testing/scram_client.h"

#include "codec/base64.h"

namespace millrace::auth::testing {

ScramClient::ScramClient(ScramKind kind, std::string_view user, std::string password)
    : kind_(kind), password_(std::move(password)) {
  std::string escaped;
  for (const char c : user) {
    if (c == ',') {
      escaped += "=2C";
    } else if (c == '=') {
      escaped += "=3D";
    } else {
      escaped += c;
    }
  }
  bare_ = "n=" + escaped + ",r=client";
}

std::string ScramClient::final(std::string_view server_first, bool twice) {
  const DigestKind hash = digest_of(kind_);
  const std::size_t salt_at = server_first.find(",s=") + 3;
  const std::size_t count_at = server_first.find(",i=") + 3;
  const std::string nonce(server_first.substr(2, salt_at - 5));
  const auto salt =
      from_base64(server_first.substr(salt_at, count_at - 3 - salt_at)).value_or(std::vector<std::uint8_t>{});
  const auto iterations = static_cast<std::uint32_t>(std::stoul(std::string(server_first.substr(count_at))));
  Digest salted(digest_size(hash));
  pbkdf2(hash, as_bytes(password_), salt, iterations, salted.bytes());
  const Digest client_key = hmac(hash, salted.view(), as_bytes("Client Key"));
  const std::string without_proof = "c=biws,r=" + std::string(twice ? "client" : "") + nonce;
  const std::string signed_text = bare_ + "," + std::string(server_first) + "," + without_proof;
  const Digest signature = hmac(hash, digest(hash, client_key.view()).view(), as_bytes(signed_text));
  std::vector<std::uint8_t> proof(client_key.view().begin(), client_key.view().end());
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] ^= signature.view()[i];
  const Digest server_key = hmac(hash, salted.view(), as_bytes("Server Key"));
  expected_ = "v=" + to_base64(hmac(hash, server_key.view(), as_bytes(signed_text)).view());
  return without_proof + ",p=" + to_base64(proof);
}

}  // namespace millrace::auth::testing
