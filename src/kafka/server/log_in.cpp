#include "kafka/server/log_in.h"

#include "base/log.h"
#include "kafka/server/endpoint.h"

namespace millrace::kafka {
namespace {

constexpr std::chrono::milliseconds kRefusalDelay{100};  // connection.failed.authentication.delay.ms

/// The client learns the sort of refusal, not its reason.
std::string refusal_of(const Error& error) {
  return error.code == ErrorCode::busy ? "too many log-ins at once: try again"
                                       : "Authentication failed: invalid user name, password or token";
}

LogInStep admitted(Connection& connection, SaslSession::Step step) {
  Endpoint& endpoint = connection.endpoint();
  const std::chrono::milliseconds lifetime = endpoint.settings().max_reauth;
  LogInStep out{.token = std::move(step.token), .error = {}, .lifetime_ms = 0};
  if (!step.identity) return out;
  const auth::Identity before = connection.identity();
  if (!before.anonymous() && before.name != step.identity->name) {
    out.error = "a log-in that is renewed must be the same user's";  // KIP-368
    return out;
  }
  out.lifetime_ms = lifetime.count();
  connection.admit(*std::move(step.identity),
                   lifetime.count() == 0 ? MonoTime::max() : endpoint.clock().mono() + lifetime);
  return out;
}

}  // namespace

void log_in(const std::shared_ptr<Connection>& connection, ByteView token,
            std::move_only_function<void(const LogInStep&)> done) {
  connection->set_checking(true);
  TimedExecutor& executor = connection->endpoint().executor();
  connection->sasl()->take(
      token, executor, [connection, &executor, done = std::move(done)](Result<SaslSession::Step> step) mutable {
        if (connection->closed()) return;
        if (step) {
          connection->set_checking(false);
          return done(admitted(*connection, *std::move(step)));
        }
        log::warn("kafka_log_in_refused", {{"peer", connection->peer()}, {"reason", step.error().message()}});
        executor.run_after(kRefusalDelay,
                           [connection, refusal = refusal_of(step.error()), done = std::move(done)]() mutable {
                             if (!connection->closed()) done({.token = {}, .error = std::move(refusal)});
                           });
      });
}

}  // namespace millrace::kafka
