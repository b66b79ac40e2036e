#include "sim/scheduler.h"

namespace millrace::sim {

Executor& Scheduler::add_lane() {
  lanes_.push_back(std::make_unique<Lane>());
  return *lanes_.back();
}

void Scheduler::after(MonoTime delay, Task task) {
  timers_.emplace(clock_.mono() + delay, std::move(task));
}

void Scheduler::wake_due() {
  while (!timers_.empty() && timers_.begin()->first <= clock_.mono()) {
    ready_.push_back(std::move(timers_.begin()->second));
    timers_.erase(timers_.begin());
  }
}

bool Scheduler::run_one() {
  wake_due();
  std::uint64_t choices = ready_.size();
  for (const auto& lane : lanes_) choices += lane->tasks_.empty() ? 0 : 1;
  if (choices == 0) {
    if (timers_.empty()) return false;
    clock_.advance_to(timers_.begin()->first);
    return run_one();
  }
  std::uint64_t pick = rng_.below(choices);
  trace_.note("run", pick, choices, static_cast<std::uint64_t>(clock_.mono().count()));
  ++ran_;
  Task task;
  if (pick < ready_.size()) {
    std::swap(ready_[pick], ready_.back());
    task = std::move(ready_.back());
    ready_.pop_back();
  } else {
    pick -= ready_.size();
    for (const auto& lane : lanes_) {
      if (lane->tasks_.empty()) continue;
      if (pick-- != 0) continue;
      task = std::move(lane->tasks_.front());
      lane->tasks_.pop_front();
      break;
    }
  }
  task();
  return true;
}

bool Scheduler::run(MonoTime limit) {
  const MonoTime end = clock_.mono() + limit;
  while (clock_.mono() < end) {
    if (!run_one()) return true;
  }
  return false;
}

void Scheduler::clear() {
  ready_.clear();
  timers_.clear();
  for (const auto& lane : lanes_) lane->tasks_.clear();
}

}  // namespace millrace::sim
