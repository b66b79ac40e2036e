// Credential: one secret of a user in the form in which it is kept, and its text, which is what the users table and the
// password file hold:
//
//   $scram-sha-256$i=4096$<salt>$<stored key>$<server key>     for programs that speak SCRAM, and for passwords too
//   $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>               for people's passwords (RFC 9106; the form of its
//   library) $token-sha256$<salt>$<hash>                                 for random tokens of devices: one hash to
//   check
//
// Salt, keys and hash in base64. None of them can be turned back into what the user types. Thread: any.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/scram.h"
#include "base/result.h"

namespace millrace::auth {

struct Argon2Credential {
  std::string text;  // as above; checked when it was read
  bool operator==(const Argon2Credential&) const = default;
};

struct TokenCredential {
  std::vector<std::uint8_t> salt;
  std::vector<std::uint8_t> hash;  // SHA-256 of salt and token
  bool operator==(const TokenCredential&) const = default;
};

using Credential = std::variant<ScramCredential, Argon2Credential, TokenCredential>;

/// malformed for anything that is not one of the forms above with values within bounds.
Result<Credential> parse_credential(std::string_view text);
[[nodiscard]] std::string to_text(const Credential& credential);

/// The least that a token must have, counted as characters of base64 or hexadecimal digits: guesses are checked fast.
inline constexpr std::size_t kShortestToken = 32;

using Entropy = std::uint64_t (*)();
[[nodiscard]] std::vector<std::uint8_t> random_bytes(std::size_t count, Entropy entropy);

[[nodiscard]] Credential make_scram_credential(ScramKind kind, std::string_view password, Entropy entropy);
/// Takes about 20 ms and 19 MiB.
[[nodiscard]] Credential make_password_credential(std::string_view password, Entropy entropy);
/// invalid_argument for a token shorter than kShortestToken.
Result<Credential> make_token_credential(std::string_view token, Entropy entropy);

/// Whether `secret` is the one behind any of `credentials`; the cheap ones are tried first.
[[nodiscard]] bool matches(std::span<const Credential> credentials, std::string_view secret);
/// Whether matches() takes a microsecond, not milliseconds.
[[nodiscard]] bool cheap(std::span<const Credential> credentials);

}  // namespace millrace::auth
