// SaslSession: how far one connection's log-in has come (KIP-43, KIP-152): a mechanism is chosen, then tokens go back
// and forth. It keeps no secret longer than a step. Thread: the loop's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "auth/authenticator.h"
#include "kafka/server/settings.h"

namespace millrace::kafka {

/// "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"
[[nodiscard]] std::string_view to_string(SaslMechanism mechanism);
[[nodiscard]] std::optional<SaslMechanism> mechanism_named(std::string_view name);

class SaslSession {
 public:
  struct Step {
    std::string token;                       // what to send back
    std::optional<auth::Identity> identity;  // there when the log-in is done
  };
  using Done = std::move_only_function<void(Result<Step>)>;

  explicit SaslSession(auth::Authenticator& authenticator) : authenticator_(authenticator) {}

  /// Begins, also anew. `raw`: the tokens come without request headers (SaslHandshake version 0).
  void begin(SaslMechanism mechanism, bool raw);
  [[nodiscard]] bool begun() const { return mechanism_.has_value(); }
  [[nodiscard]] bool takes_raw_tokens() const { return mechanism_.has_value() && raw_; }

  /// Takes the client's token; `done` comes once, here or later on `reply_to`. After an error, and after the last step,
  /// a new begin() is needed. The errors of ScramExchange and Authenticator.
  void take(ByteView token, Executor& reply_to, Done done);

 private:
  void take_plain(ByteView token, Executor& reply_to, Done done);
  Result<Step> take_scram(ByteView token);

  auth::Authenticator& authenticator_;
  std::optional<SaslMechanism> mechanism_;
  std::optional<auth::ScramExchange> scram_;
  bool raw_ = false;
};

}  // namespace millrace::kafka
