#include "auth/scram.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "codec/base64.h"

namespace millrace::auth {
namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestNonce = 256;

std::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::malformed, what);
}

std::vector<std::uint8_t> to_vector(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

/// Takes "<key>=value" from the front of a comma-separated list; nullopt when it is something else.
std::optional<std::string_view> take(std::string_view& list, char key) {
  if (list.size() < 2 || list[0] != key || list[1] != '=') return std::nullopt;
  const std::size_t end = list.find(',');
  const std::string_view value = list.substr(2, end == std::string_view::npos ? end : end - 2);
  list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
  return value;
}

/// saslname (RFC 5802 section 7): "=2C" is a comma, "=3D" an equals sign, nothing else may begin with "=".
std::optional<std::string> name_of(std::string_view escaped) {
  std::string name;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '=') {
      name += escaped[i];
      continue;
    }
    const std::string_view code = escaped.substr(i + 1, 2);
    if (code != "2C" && code != "3D") return std::nullopt;
    name += code == "2C" ? ',' : '=';
    i += 2;
  }
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  return name;
}

bool is_nonce(std::string_view text) {
  return !text.empty() && text.size() <= kLongestNonce &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

/// Keys nobody has the password of.
ScramCredential decoy_for(ScramKind kind, ByteView secret, std::string_view user) {
  const Digest salt = hmac(DigestKind::sha256, secret, as_bytes(user));
  const std::size_t size = digest_size(digest_of(kind));
  return {.kind = kind,
          .iterations = kMinIterations,
          .salt = to_vector(salt.view().first(16)),
          .stored_key = std::vector<std::uint8_t>(size),
          .server_key = std::vector<std::uint8_t>(size)};
}

}  // namespace

std::string_view to_string(ScramKind kind) {
  return kind == ScramKind::sha256 ? "SCRAM-SHA-256" : "SCRAM-SHA-512";
}

DigestKind digest_of(ScramKind kind) {
  return kind == ScramKind::sha256 ? DigestKind::sha256 : DigestKind::sha512;
}

ScramCredential make_scram_salted(ScramKind kind, ByteView salted_password, ByteView salt, std::uint32_t iterations) {
  const DigestKind hash = digest_of(kind);
  const Digest client_key = hmac(hash, salted_password, as_bytes("Client Key"));
  return {.kind = kind,
          .iterations = iterations,
          .salt = to_vector(salt),
          .stored_key = to_vector(digest(hash, client_key.view()).view()),
          .server_key = to_vector(hmac(hash, salted_password, as_bytes("Server Key")).view())};
}

ScramCredential make_scram(ScramKind kind, std::string_view password, ByteView salt, std::uint32_t iterations) {
  Digest salted(digest_size(digest_of(kind)));
  pbkdf2(digest_of(kind), as_bytes(password), salt, iterations, salted.bytes());
  return make_scram_salted(kind, salted.view(), salt, iterations);
}

bool verify(const ScramCredential& credential, std::string_view password) {
  const ScramCredential made = make_scram(credential.kind, password, credential.salt, credential.iterations);
  return equal_in_constant_time(made.stored_key, credential.stored_key);
}

ScramExchange::ScramExchange(ScramKind kind, LookUp look_up, std::string server_nonce, ByteView decoy)
    : kind_(kind), look_up_(std::move(look_up)), nonce_(std::move(server_nonce)), decoy_(to_vector(decoy)) {}

Result<std::string> ScramExchange::step(std::string_view message) {
  const Stage at = std::exchange(stage_, Stage::failed);
  if (at == Stage::first) return first(message);
  if (at == Stage::final) return final(message);
  return fail(ErrorCode::protocol_error, "the SCRAM exchange is over");
}

// client-first-message = ("n" / "y") "," [a=authzid] "," n=user "," r=nonce ["," extensions]
Result<std::string> ScramExchange::first(std::string_view message) {
  const std::size_t flag_end = message.find(',');
  if (flag_end != 1 || (message[0] != 'n' && message[0] != 'y')) return malformed("SCRAM: no channel binding here");
  const std::size_t header_end = message.find(',', flag_end + 1);
  if (header_end == std::string_view::npos) return malformed("SCRAM: the first message has no header");
  gs2_header_ = message.substr(0, header_end + 1);
  std::string_view authzid = message.substr(flag_end + 1, header_end - flag_end - 1);
  client_first_bare_ = message.substr(header_end + 1);
  std::string_view rest = client_first_bare_;
  const auto name = take(rest, 'n');
  const auto user = name ? name_of(*name) : std::nullopt;
  const auto nonce = take(rest, 'r');
  if (!user || !nonce || !is_nonce(*nonce)) return malformed("SCRAM: the first message has no name or nonce");
  // What follows are extensions; Kafka's "tokenauth" says that the name is a token's.
  if (rest.find("tokenauth=true") != std::string_view::npos) return malformed("SCRAM: there are no delegation tokens");
  user_ = *user;
  if (!authzid.empty()) {
    const auto other = take(authzid, 'a');
    if (!other || name_of(*other) != user_) {
      return fail(ErrorCode::permission_denied, "SCRAM: nobody may speak for another user");
    }
  }
  auto found = look_up_(user_);
  known_ = found.has_value();
  credential_ = known_ ? *std::move(found) : decoy_for(kind_, decoy_, user_);
  server_first_ = fmt::format("r={}{},s={},i={}", *nonce, nonce_, to_base64(credential_.salt), credential_.iterations);
  stage_ = Stage::final;
  return server_first_;
}

// client-final-message = c=channel-binding "," r=nonce ["," extensions] "," p=proof
Result<std::string> ScramExchange::final(std::string_view message) {
  const std::size_t proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return malformed("SCRAM: the final message has no proof");
  const std::string_view without_proof = message.substr(0, proof_at);
  std::string_view rest = without_proof;
  const auto binding = take(rest, 'c');
  const auto nonce = take(rest, 'r');
  auto proof = from_base64(message.substr(proof_at + 3));
  const DigestKind hash = digest_of(kind_);
  if (!binding || *binding != to_base64(as_bytes(gs2_header_)) || !nonce || !proof ||
      proof->size() != digest_size(hash)) {
    return malformed("SCRAM: the final message is wrong");
  }
  // It should be the client's nonce and ours. librdkafka before 2.5 says its own twice; what matters is that ours,
  // which makes the exchange fresh, is at the end, and that the proof is over the text as it was sent. Apache Kafka
  // asks no more either.
  if (!nonce->ends_with(nonce_)) return malformed("SCRAM: the nonce is another one");
  const std::string signed_text = client_first_bare_ + "," + server_first_ + "," + std::string(without_proof);
  const Digest signature = hmac(hash, credential_.stored_key, as_bytes(signed_text));
  for (std::size_t i = 0; i < proof->size(); ++i) (*proof)[i] ^= signature.view()[i];
  const bool same = equal_in_constant_time(digest(hash, *proof).view(), credential_.stored_key);
  if (!same || !known_) return fail(ErrorCode::permission_denied, "SCRAM: wrong user name or password");
  stage_ = Stage::done;
  return "v=" + to_base64(hmac(hash, credential_.server_key, as_bytes(signed_text)).view());
}

}  // namespace millrace::auth
