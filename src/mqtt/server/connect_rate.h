// ConnectRate: how often something may happen, per key (an address, an identity, a client identifier) or at all
// (decision 0029). Whoever comes too soon is given a time to wait instead of a refusal, so that a storm is spread; only
// when that would be longer than `longest_wait` is it refused. One number per key, the generic cell rate algorithm;
// bursts of kBurstSeconds' worth pass at once. A key that has been quiet for as long is forgotten. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/guarded.h"

namespace millrace::mqtt {

class ConnectRate {
 public:
  static constexpr std::int64_t kBurstSeconds = 10;
  /// `per_second` 0: no limit.
  ConnectRate(std::uint32_t per_second, std::chrono::milliseconds longest_wait)
      : interval_(per_second == 0 ? MonoTime(0) : MonoTime(std::chrono::seconds(1)) / per_second),
        longest_wait_(longest_wait) {}

  [[nodiscard]] bool limited() const { return interval_.count() != 0; }
  /// How long to wait, and that place is taken; nullopt: too long, nothing is taken.
  std::optional<std::chrono::milliseconds> reserve(std::string_view key, MonoTime now);
  [[nodiscard]] std::size_t keys() const {
    return state_.with([](const State& state) { return state.next.size(); });
  }

 private:
  // Beyond, those that are not known pass unlimited: memory is kept, and the listener's own rate still holds.
  static constexpr std::size_t kMostKeys = 200'000;
  static constexpr std::size_t kFirstSweep = 1'024;
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  struct State {
    std::unordered_map<std::string, MonoTime, KeyHash, std::equal_to<>> next;  // when the last place taken is paid for
    std::size_t sweep_at = kFirstSweep;
  };

  const MonoTime interval_;
  const std::chrono::milliseconds longest_wait_;
  Guarded<State> state_;
};

/// What is counted of a connection, in this order.
struct ConnectRates {
  ConnectRate address;   // by the network it comes from
  ConnectRate identity;  // by who it proved to be, or its client identifier
  ConnectRate takeover;  // by client identifier, when that is connected
};

}  // namespace millrace::mqtt
