// SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): the server's side of the exchange, and what it keeps of a
// password. No channel binding. Names and passwords are taken as UTF-8 without SASLprep, as Kafka does. Thread: any; an
// exchange one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/digest.h"

namespace millrace::auth {

enum class ScramKind : std::uint8_t { sha256 = 1, sha512 = 2 };  // Kafka's ScramMechanism types

[[nodiscard]] std::string_view to_string(ScramKind kind);  // "SCRAM-SHA-256"
[[nodiscard]] DigestKind digest_of(ScramKind kind);

/// Bounds of the iteration count (Kafka's ScramMechanism): below, a stolen key is too cheap to try; above, a log-in is
/// too dear.
inline constexpr std::uint32_t kMinIterations = 4096;
inline constexpr std::uint32_t kMaxIterations = 16'384;

/// What the server keeps: enough to check a client and to prove itself, not enough to log in with.
struct ScramCredential {
  ScramKind kind = ScramKind::sha256;
  std::uint32_t iterations = kMinIterations;
  std::vector<std::uint8_t> salt{};
  std::vector<std::uint8_t> stored_key{};
  std::vector<std::uint8_t> server_key{};
  bool operator==(const ScramCredential&) const = default;
};

/// Costs `iterations` × 2 hash blocks, about a millisecond.
[[nodiscard]] ScramCredential make_scram(ScramKind kind, std::string_view password, ByteView salt,
                                         std::uint32_t iterations);
/// From SaltedPassword, which is what Kafka's clients send when they set a password.
[[nodiscard]] ScramCredential make_scram_salted(ScramKind kind, ByteView salted_password, ByteView salt,
                                                std::uint32_t iterations);
/// As costly as make_scram().
[[nodiscard]] bool verify(const ScramCredential& credential, std::string_view password);

/// One exchange: client first, server first, client final, server final.
class ScramExchange {
 public:
  /// The credential of a user; nullopt when there is none of this kind. An exchange with an unknown user goes on with
  /// keys nobody has, so that it ends where a wrong password ends.
  using LookUp = std::function<std::optional<ScramCredential>(std::string_view user)>;
  /// `server_nonce` and `decoy` are random text and bytes; `decoy` is the same for the whole process, so that an
  /// unknown user's salt does not change between two attempts.
  ScramExchange(ScramKind kind, LookUp look_up, std::string server_nonce, ByteView decoy);

  /// Takes the client's next message and returns the answer. malformed: not SCRAM; permission_denied: not this user's
  /// password; protocol_error: a message after the last.
  Result<std::string> step(std::string_view message);
  [[nodiscard]] bool done() const { return stage_ == Stage::done; }
  /// Known after the first step.
  [[nodiscard]] const std::string& user() const { return user_; }

 private:
  enum class Stage : std::uint8_t { first, final, done, failed };
  Result<std::string> first(std::string_view message);
  Result<std::string> final(std::string_view message);

  ScramKind kind_;
  LookUp look_up_;
  std::string nonce_;  // the server's part
  std::vector<std::uint8_t> decoy_;
  ScramCredential credential_;
  bool known_ = false;
  std::string user_;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string server_first_;
  Stage stage_ = Stage::first;
};

}  // namespace millrace::auth
