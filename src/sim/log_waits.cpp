// LogWaits: see the header.
#include "sim/log_waits.h"

namespace millrace::sim {

void LogWaits::wait_somewhere(Rng& rng) {
  if (world_.handles.empty()) return;
  auto it = world_.handles.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(rng.below(world_.handles.size())));
  const std::uint64_t number = next_++;
  const Wait wait{it->second, it->second->high_watermark() - rng.between(0, 1)};
  waiting_[number] = wait;
  ++world_.counts.waits;
  wait.partition->when_beyond(wait.beyond, *this, [this, number] {
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return world_.violate("a wait was answered twice");
    if (!found->second.due()) world_.violate("a wait was answered too early");
    waiting_.erase(found);
  });
}

void LogWaits::run() {
  while (!ready_.empty()) {
    Task task = std::move(ready_.front());
    ready_.pop_front();
    task();
  }
}

void LogWaits::check_rest() {
  run();
  for (const auto& [number, wait] : waiting_) {
    if (wait.due()) world_.violate(wait.partition->name().to_string() + ": a wait was not answered");
    wait.partition->cancel_waits(*this);
  }
  forget();
}

void LogWaits::forget() {
  ready_.clear();
  waiting_.clear();
}

}  // namespace millrace::sim
