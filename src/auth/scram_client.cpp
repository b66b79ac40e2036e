#include "auth/scram_client.h"

#include <charconv>

#include "codec/base64.h"

namespace millrace::auth {
namespace {

/// saslname (RFC 5802 section 7).
std::string escaped(std::string_view user) {
  std::string text;
  for (const char c : user) {
    if (c == ',') {
      text += "=2C";
    } else if (c == '=') {
      text += "=3D";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

ScramClient::ScramClient(ScramKind kind, std::string_view user, std::string password, std::string nonce)
    : kind_(kind),
      password_(std::move(password)),
      nonce_(std::move(nonce)),
      bare_("n=" + escaped(user) + ",r=" + nonce_) {}

// server-first-message = r=nonce "," s=salt "," i=iterations ["," extensions]
Result<std::string> ScramClient::final(std::string_view server_first) {
  const std::size_t salt_at = server_first.find(",s=");
  const std::size_t count_at = server_first.find(",i=", salt_at == std::string_view::npos ? 0 : salt_at);
  if (!server_first.starts_with("r=") || salt_at == std::string_view::npos || count_at == std::string_view::npos) {
    return fail(ErrorCode::malformed, "SCRAM: the server's first message is wrong");
  }
  const std::string_view nonce = server_first.substr(2, salt_at - 2);
  const auto salt = from_base64(server_first.substr(salt_at + 3, count_at - salt_at - 3));
  std::uint32_t iterations = 0;
  std::from_chars(server_first.data() + count_at + 3, server_first.data() + server_first.size(), iterations);
  if (!salt || iterations == 0) return fail(ErrorCode::malformed, "SCRAM: the server's first message is wrong");
  // Too few iterations would make the proof cheap to guess from, for a server that only pretends.
  const bool fair = iterations >= kMinIterations && iterations <= kMaxIterations;
  if (!nonce.starts_with(nonce_) || nonce.size() == nonce_.size() || !fair) {
    return fail(ErrorCode::permission_denied, "SCRAM: this is not the server it says it is");
  }
  return prove(server_first, nonce, *salt, iterations);
}

std::string ScramClient::prove(std::string_view server_first, std::string_view nonce, ByteView salt,
                               std::uint32_t iterations) {
  const DigestKind hash = digest_of(kind_);
  Digest salted(digest_size(hash));
  pbkdf2(hash, as_bytes(password_), salt, iterations, salted.bytes());
  const Digest client_key = hmac(hash, salted.view(), as_bytes("Client Key"));
  const std::string without_proof = "c=biws,r=" + std::string(nonce);
  const std::string signed_text = bare_ + "," + std::string(server_first) + "," + without_proof;
  const Digest signature = hmac(hash, digest(hash, client_key.view()).view(), as_bytes(signed_text));
  std::vector<std::uint8_t> proof(client_key.view().begin(), client_key.view().end());
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] ^= signature.view()[i];
  const Digest server_key = hmac(hash, salted.view(), as_bytes("Server Key"));
  expected_ = "v=" + to_base64(hmac(hash, server_key.view(), as_bytes(signed_text)).view());
  return without_proof + ",p=" + to_base64(proof);
}

}  // namespace millrace::auth
