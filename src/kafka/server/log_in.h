// One step of a connection's log-in, however its tokens are framed: SaslAuthenticate, or bare after SaslHandshake v0.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kafka/server/connection.h"

namespace millrace::kafka {

struct LogInStep {
  std::string token{};
  std::optional<std::string> error{};  // for the client; the connection must be closed after it
  std::int64_t lifetime_ms = 0;        // of the log-in, when it is done and ends by itself
};

/// Takes a token of a connection whose log-in has begun. `done` comes once, on the loop; a refusal comes late, so that
/// guessing takes time. While a step is being checked the connection is not read.
void log_in(const std::shared_ptr<Connection>& connection, ByteView token,
            std::move_only_function<void(const LogInStep&)> done);

}  // namespace millrace::kafka
