// MemoryBudget: what all connections of a server hold at one time (decision 0028): packets that are not complete, bytes
// that wait while reading is paused, output that clients have not taken, and QoS 1 and 2 messages queued for them. What
// waits for the log, crosses loops or is retained has limits of its own.
//
// Load moves with hysteresis: tight from a half of the limit until below three eighths, full from seven eighths until
// below three quarters. Thread: any; a loop reports once per turn.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace millrace::mqtt {

enum class Load : std::uint8_t { normal, tight, full };

class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit) : limit_(static_cast<std::ptrdiff_t>(limit)) {}

  void change(std::ptrdiff_t by) {
    const std::ptrdiff_t held = held_.fetch_add(by, std::memory_order_relaxed) + by;
    const Load before = load();
    const bool was_full = before == Load::full;
    const bool was_tight = before != Load::normal;
    Load now = Load::normal;
    if (held >= limit_ / 8 * (was_full ? 6 : 7)) {
      now = Load::full;
    } else if (held >= limit_ / 8 * (was_tight ? 3 : 4)) {
      now = Load::tight;
    }
    if (now != before) load_.store(now, std::memory_order_relaxed);
  }
  [[nodiscard]] Load load() const { return load_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t held() const {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(held_.load(std::memory_order_relaxed), 0));
  }
  [[nodiscard]] std::size_t limit() const { return static_cast<std::size_t>(limit_); }
  /// How much must go before the load is no longer full.
  [[nodiscard]] std::size_t excess() const {
    const std::size_t calm = limit() / 8 * 6;
    return held() > calm ? held() - calm : 0;
  }
  /// The Receive Maximum for a client that connects now: less and less from where the load becomes tight, so that what
  /// clients may have under way shrinks with the room there is and they need not be paused.
  [[nodiscard]] std::uint16_t receive_maximum(std::uint16_t configured) const {
    constexpr std::size_t kLeast = 16;
    if (load() == Load::normal) return configured;
    const std::size_t free = limit() - std::min(limit(), held());
    const std::size_t share = configured * free / std::max<std::size_t>(limit() / 8 * 5, 1);
    return static_cast<std::uint16_t>(
        std::clamp(share, std::min<std::size_t>(kLeast, configured), static_cast<std::size_t>(configured)));
  }

 private:
  const std::ptrdiff_t limit_;
  std::atomic<std::ptrdiff_t> held_{0};
  std::atomic<Load> load_{Load::normal};
};

}  // namespace millrace::mqtt
