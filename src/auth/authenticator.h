// Authenticator: decides who somebody is. Costly checks (password hashes) run on the worker, as many at a time as it
// has threads, and no more than a bound wait: a storm of log-ins is told to come again instead of stopping the loops.
// Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "auth/users.h"
#include "base/executor.h"
#include "metrics/registry.h"

namespace millrace::auth {

class Authenticator {
 public:
  static constexpr std::size_t kMostWaiting = 10'000;  // costly checks; about a minute of the worker's time at worst
  using Done = std::move_only_function<void(Result<Identity>)>;

  /// `users`, `worker` and `registry` outlive this. `worker` null: checks run where they are asked for.
  Authenticator(Users& users, Executor* worker, metrics::Registry& registry, Entropy random);

  /// Checks a name and its password or token. `done` comes on `reply_to`, later: permission_denied (unknown user, wrong
  /// secret: not told apart, and as slow), busy (too many wait).
  void check_password(std::string name, std::string secret, Executor& reply_to, Done done);

  [[nodiscard]] ScramExchange begin_scram(ScramKind kind);
  /// Whoever drives a ScramExchange reports its end.
  void count(Proof proof, bool accepted);

  [[nodiscard]] Users& users() { return users_; }
  [[nodiscard]] Entropy entropy() const { return entropy_; }

 private:
  [[nodiscard]] Result<Identity> judge(const std::string& name, std::string_view secret) const;

  Users& users_;
  Executor* worker_;
  Entropy entropy_;
  std::vector<std::uint8_t> decoy_;
  Credentials nobody_;  // what an unknown user's secret is checked against
  std::atomic<std::size_t> waiting_{0};
  metrics::Counter& accepted_;
  metrics::Counter& refused_;
  metrics::Counter& turned_away_;
};

}  // namespace millrace::auth
