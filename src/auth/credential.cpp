#include "auth/credential.h"

#include <argon2.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/assert.h"
#include "codec/base64.h"

namespace millrace::auth {
namespace {

// OWASP's second choice, RFC 9106's form: 19 MiB, two passes, one lane.
constexpr std::uint32_t kArgonKiB = 19'456;
constexpr std::uint32_t kArgonPasses = 2;
constexpr std::uint32_t kArgonLanes = 1;
constexpr std::size_t kArgonHash = 32;
// What a file may ask of us at most.
constexpr std::uint32_t kMostArgonKiB = 262'144;
constexpr std::uint32_t kMostArgonPasses = 16;
constexpr std::size_t kSalt = 16;
constexpr std::size_t kLongestSalt = 64;
constexpr std::size_t kLongestText = 1024;

std::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::malformed, what);
}

std::vector<std::string_view> fields_of(std::string_view text) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t end = text.find('$');
    fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> number_after(std::string_view text, std::string_view name) {
  if (!text.starts_with(name)) return std::nullopt;
  text.remove_prefix(name.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_salt(const std::optional<std::vector<std::uint8_t>>& salt) {
  return salt && !salt->empty() && salt->size() <= kLongestSalt;  // its length is the client's choice
}

Result<Credential> parse_scram(ScramKind kind, std::span<const std::string_view> fields) {
  if (fields.size() != 4) return malformed("a SCRAM credential is i=N, salt, stored key, server key");
  const auto iterations = number_after(fields[0], "i=");
  auto salt = from_base64(fields[1]);
  auto stored = from_base64(fields[2]);
  auto server = from_base64(fields[3]);
  const std::size_t size = digest_size(digest_of(kind));
  if (!iterations || *iterations < kMinIterations || *iterations > kMaxIterations) {
    return malformed("a SCRAM credential has between 4096 and 16384 iterations");
  }
  if (!is_salt(salt) || !stored || stored->size() != size || !server || server->size() != size) {
    return malformed("a SCRAM credential's salt or keys are wrong");
  }
  return ScramCredential{kind, *iterations, *std::move(salt), *std::move(stored), *std::move(server)};
}

Result<Credential> parse_argon2(std::string_view text, std::span<const std::string_view> fields) {
  std::optional<std::uint32_t> memory;
  std::optional<std::uint32_t> passes;
  std::optional<std::uint32_t> lanes;
  if (fields.size() == 4 && fields[0] == "v=19") {
    std::string_view costs = fields[1];
    const std::size_t first = costs.find(',');
    const std::size_t second = first == std::string_view::npos ? first : costs.find(',', first + 1);
    if (second != std::string_view::npos) {
      memory = number_after(costs.substr(0, first), "m=");
      passes = number_after(costs.substr(first + 1, second - first - 1), "t=");
      lanes = number_after(costs.substr(second + 1), "p=");
    }
  }
  if (!memory || !passes || !lanes || fields[2].empty() || fields[3].empty()) {
    return malformed("an Argon2id credential is v=19, m=…,t=…,p=…, salt, hash");
  }
  if (*memory > kMostArgonKiB || *passes > kMostArgonPasses || *passes == 0 || *lanes == 0 || *lanes > 8) {
    return malformed("an Argon2id credential asks for too much: at most m=262144,t=16,p=8");
  }
  return Argon2Credential{std::string(text)};
}

Result<Credential> parse_token(std::span<const std::string_view> fields) {
  if (fields.size() != 2) return malformed("a token credential is salt, hash");
  auto salt = from_base64(fields[0]);
  auto hash = from_base64(fields[1]);
  if (!is_salt(salt) || !hash || hash->size() != digest_size(DigestKind::sha256)) {
    return malformed("a token credential's salt or hash is wrong");
  }
  return TokenCredential{*std::move(salt), *std::move(hash)};
}

Digest token_hash(ByteView salt, std::string_view token) {
  return Hasher(DigestKind::sha256).update(salt).update(as_bytes(token)).finish();
}

bool matches_one(const Credential& credential, std::string_view secret) {
  if (const auto* scram = std::get_if<ScramCredential>(&credential)) return verify(*scram, secret);
  if (const auto* argon = std::get_if<Argon2Credential>(&credential)) {
    return argon2id_verify(argon->text.c_str(), secret.data(), secret.size()) == ARGON2_OK;
  }
  const auto& token = std::get<TokenCredential>(credential);
  return equal_in_constant_time(token_hash(token.salt, secret).view(), token.hash);
}

}  // namespace

std::vector<std::uint8_t> random_bytes(std::size_t count, Entropy entropy) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(count + 8);
  while (bytes.size() < count) {
    const std::uint64_t word = entropy();
    for (unsigned shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<std::uint8_t>(word >> shift));
  }
  bytes.resize(count);
  return bytes;
}

Result<Credential> parse_credential(std::string_view text) {
  if (text.size() > kLongestText || !text.starts_with('$')) return malformed("a credential begins with $ and its kind");
  const std::vector<std::string_view> fields = fields_of(text.substr(1));
  const auto rest = std::span(fields).subspan(1);
  if (fields[0] == "scram-sha-256") return parse_scram(ScramKind::sha256, rest);
  if (fields[0] == "scram-sha-512") return parse_scram(ScramKind::sha512, rest);
  if (fields[0] == "argon2id") return parse_argon2(text, rest);
  if (fields[0] == "token-sha256") return parse_token(rest);
  return malformed("a credential is $scram-sha-256, $scram-sha-512, $argon2id or $token-sha256");
}

std::string to_text(const Credential& credential) {
  if (const auto* scram = std::get_if<ScramCredential>(&credential)) {
    return fmt::format("$scram-sha-{}$i={}${}${}${}", scram->kind == ScramKind::sha256 ? 256 : 512, scram->iterations,
                       to_base64(scram->salt), to_base64(scram->stored_key), to_base64(scram->server_key));
  }
  if (const auto* argon = std::get_if<Argon2Credential>(&credential)) return argon->text;
  const auto& token = std::get<TokenCredential>(credential);
  return fmt::format("$token-sha256${}${}", to_base64(token.salt), to_base64(token.hash));
}

Credential make_scram_credential(ScramKind kind, std::string_view password, Entropy entropy) {
  return make_scram(kind, password, random_bytes(kSalt, entropy), kMinIterations);
}

Credential make_password_credential(std::string_view password, Entropy entropy) {
  const auto salt = random_bytes(kSalt, entropy);
  std::array<char, 256> text{};
  const int made = argon2id_hash_encoded(kArgonPasses, kArgonKiB, kArgonLanes, password.data(), password.size(),
                                         salt.data(), salt.size(), kArgonHash, text.data(), text.size());
  MR_ASSERT(made == ARGON2_OK);
  return Argon2Credential{text.data()};
}

Result<Credential> make_token_credential(std::string_view token, Entropy entropy) {
  if (token.size() < kShortestToken) {
    return fail(ErrorCode::invalid_argument, "a token is at least 32 random characters; choose a password for people");
  }
  auto salt = random_bytes(kSalt, entropy);
  const Digest hash = token_hash(salt, token);
  return TokenCredential{std::move(salt), {hash.view().begin(), hash.view().end()}};
}

bool cheap(std::span<const Credential> credentials) {
  return std::ranges::all_of(
      credentials, [](const Credential& credential) { return std::holds_alternative<TokenCredential>(credential); });
}

bool matches(std::span<const Credential> credentials, std::string_view secret) {
  for (const bool tokens : {true, false}) {
    for (const Credential& credential : credentials) {
      if (std::holds_alternative<TokenCredential>(credential) == tokens && matches_one(credential, secret)) return true;
    }
  }
  return false;
}

}  // namespace millrace::auth
