#include "mqtt/server/connect_rate.h"

#include <algorithm>

namespace millrace::mqtt {

std::optional<std::chrono::milliseconds> ConnectRate::reserve(std::string_view key, MonoTime now) {
  using std::chrono::milliseconds;
  if (!limited()) return milliseconds(0);
  const MonoTime burst = std::max(std::chrono::seconds(kBurstSeconds) - interval_, MonoTime(0));
  return state_.with([&](State& state) -> std::optional<milliseconds> {
    auto at = state.next.find(key);
    if (at == state.next.end()) {
      if (state.next.size() >= state.sweep_at) {
        std::erase_if(state.next, [&](const auto& entry) { return entry.second <= now; });
        state.sweep_at = std::clamp(2 * state.next.size(), kFirstSweep, kMostKeys);
      }
      if (state.next.size() >= kMostKeys) return milliseconds(0);
      at = state.next.emplace(key, now).first;
    }
    const MonoTime from = std::max(at->second, now);
    const milliseconds wait = std::chrono::ceil<milliseconds>(std::max(from - burst - now, MonoTime(0)));
    if (wait > longest_wait_) return std::nullopt;
    at->second = from + interval_;
    return wait;
  });
}

}  // namespace millrace::mqtt
