#include "admin/readiness.h"

#include <utility>

namespace millrace::admin {

Readiness::Readiness() {
  state_.with([](State& state) { state.reason = "starting"; });
}

void Readiness::set_ready() {
  state_.with([](State& state) { state.reason.reset(); });
}

void Readiness::set_not_ready(std::string reason) {
  state_.with([&](State& state) { state.reason = std::move(reason); });
}

void Readiness::add_check(std::function<std::optional<std::string>()> check) {
  state_.with([&](State& state) { state.checks.push_back(std::move(check)); });
}

std::optional<std::string> Readiness::obstacle() const {
  // The checks run outside the lock; they only grow, before the server starts.
  const auto [reason, checks] = state_.with([](const State& state) { return std::pair(state.reason, state.checks); });
  if (reason) return reason;
  for (const auto& check : checks) {
    if (auto obstacle = check()) return obstacle;
  }
  return std::nullopt;
}

}  // namespace millrace::admin
