#include "mqtt/server/listener_gate.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::mqtt {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kBetweenLogLines = 60 * kSecond;
// Loops ask anew rarely enough to cost nothing, and often enough that nobody notices.
constexpr std::chrono::milliseconds kLeastWait{5};
constexpr std::chrono::milliseconds kWhileFull{100};

}  // namespace

ListenerGate::ListenerGate(std::uint32_t per_second, std::string name, const MemoryBudget& budget, const Clock& clock,
                           ServerMetrics& metrics)
    : interval_ns_(per_second == 0 ? 0 : kSecond / per_second),
      name_(std::move(name)),
      budget_(budget),
      clock_(clock),
      metrics_(metrics) {}

std::chrono::milliseconds ListenerGate::wait() {
  if (budget_.load() == Load::full) {
    note("mqtt.memory.max.bytes are held", metrics_.accept_pauses_memory);
    return kWhileFull;
  }
  if (interval_ns_ == 0) return {};
  // A second's worth passes at once.
  const std::int64_t early = next_ns_.load(std::memory_order_relaxed) - clock_.mono().count() - kSecond + interval_ns_;
  if (early <= 0) return {};
  note("more connections than mqtt.accept.rate", metrics_.accept_pauses_rate);
  return std::max(kLeastWait, std::chrono::milliseconds(early / kMillisecond + 1));
}

void ListenerGate::accepted() {
  if (interval_ns_ == 0) return;
  const std::int64_t now = clock_.mono().count();
  std::int64_t next = next_ns_.load(std::memory_order_relaxed);
  while (!next_ns_.compare_exchange_weak(next, std::max(next, now) + interval_ns_, std::memory_order_relaxed)) {
  }
}

void ListenerGate::note(std::string_view reason, metrics::Counter& counter) {
  counter.add();
  const std::int64_t now = clock_.mono().count();
  std::int64_t from = log_from_ns_.load(std::memory_order_relaxed);
  if (now < from || !log_from_ns_.compare_exchange_strong(from, now + kBetweenLogLines)) return;
  log::warn("accept_paused", {{"listener", name_}, {"reason", reason}});
}

}  // namespace millrace::mqtt
