// IdentityHolds: what the connections of one identity hold together, for those that hold anything. An identity is the
// name a client logged in with, or its client identifier when it did not. Thread: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/guarded.h"

namespace millrace::mqtt {

struct IdentityHold {
  std::atomic<std::ptrdiff_t> bytes{0};
};

class IdentityHolds {
 public:
  /// Kept by each connection from when it first holds something.
  std::shared_ptr<IdentityHold> open(std::string_view identity) {
    return state_.with([&](State& state) {
      if (state.holds.size() >= state.sweep_at) {
        std::erase_if(state.holds, [](const auto& entry) { return entry.second.expired(); });
        state.sweep_at = std::max<std::size_t>(kFirstSweep, 2 * state.holds.size());
      }
      std::weak_ptr<IdentityHold>& known = state.holds[std::string(identity)];
      auto hold = known.lock();
      if (hold == nullptr) known = hold = std::make_shared<IdentityHold>();
      return hold;
    });
  }

 private:
  static constexpr std::size_t kFirstSweep = 1'024;
  struct State {
    std::unordered_map<std::string, std::weak_ptr<IdentityHold>> holds;
    std::size_t sweep_at = kFirstSweep;
  };
  Guarded<State> state_;
};

}  // namespace millrace::mqtt
