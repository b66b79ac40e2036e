#include "auth/authenticator.h"

#include <algorithm>
#include <utility>

#include "codec/hex.h"

namespace millrace::auth {
namespace {

constexpr std::string_view kName = "millrace_authentications_total";
constexpr std::string_view kHelp = "Log-ins by outcome; busy ones were told to come again.";

void forget(std::string& secret) {
  std::ranges::fill(secret, '\0');
}

}  // namespace

Authenticator::Authenticator(Users& users, Executor* worker, metrics::Registry& registry, Entropy random)
    : users_(users),
      worker_(worker),
      entropy_(random),
      decoy_(random_bytes(32, random)),
      nobody_{make_scram_credential(ScramKind::sha256, to_hex(random_bytes(16, random)), random)},
      accepted_(registry.counter(kName, kHelp, {{"outcome", "accepted"}})),
      refused_(registry.counter(kName, kHelp, {{"outcome", "refused"}})),
      turned_away_(registry.counter(kName, kHelp, {{"outcome", "busy"}})) {}

Result<Identity> Authenticator::judge(const std::string& name, std::string_view secret) const {
  const auto table = users_.table();
  const Credentials* credentials = table->find(name);
  const bool right = matches(credentials != nullptr ? *credentials : nobody_, secret);
  if (!right || credentials == nullptr) return fail(ErrorCode::permission_denied, "wrong user name or password");
  return Identity{name, Proof::password};
}

void Authenticator::check_password(std::string name, std::string secret, Executor& reply_to, Done done) {
  const auto table = users_.table();
  const Credentials* credentials = table->find(name);
  const bool costly = credentials == nullptr || !cheap(*credentials);
  if (costly && waiting_.load(std::memory_order_relaxed) >= kMostWaiting) {
    turned_away_.add();
    forget(secret);
    return reply_to.post([done = std::move(done)]() mutable {
      done(fail(ErrorCode::busy, "too many log-ins are being checked: try again"));
    });
  }
  waiting_.fetch_add(1, std::memory_order_relaxed);
  Task check = [this, name = std::move(name), secret = std::move(secret), &reply_to, done = std::move(done)]() mutable {
    Result<Identity> verdict = judge(name, secret);
    forget(secret);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    count(Proof::password, verdict.has_value());
    reply_to.post([done = std::move(done), verdict = std::move(verdict)]() mutable { done(std::move(verdict)); });
  };
  if (worker_ != nullptr && costly) {
    worker_->post(std::move(check));
  } else {
    check();
  }
}

ScramExchange Authenticator::begin_scram(ScramKind kind) {
  return {kind, [this, kind](std::string_view user) { return users_.table()->scram(user, kind); },
          to_hex(random_bytes(16, entropy_)), decoy_};
}

void Authenticator::count([[maybe_unused]] Proof proof, bool accepted) {
  (accepted ? accepted_ : refused_).add();
}

}  // namespace millrace::auth
