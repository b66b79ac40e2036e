// Scheduler: runs tasks to completion on one thread, in an order drawn from the seed, with virtual timers.
//
// Tasks posted from one place keep no order among each other beyond what the seed gives: code that needs an order must
// build it itself, or post through a Lane, which keeps the order promised by Executor. Thread: the simulation's.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/rng.h"
#include "sim/trace.h"
#include "sim/virtual_clock.h"

namespace millrace::sim {

class Scheduler {
 public:
  /// All three must outlive the scheduler.
  Scheduler(Rng& rng, VirtualClock& clock, Trace& trace) : rng_(rng), clock_(clock), trace_(trace) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// An Executor of its own order, as one loop or thread is. Lives as long as the scheduler.
  Executor& add_lane();

  /// Runs `task` some time after `delay`.
  void after(MonoTime delay, Task task);
  /// Runs one task, moving time to the next timer when nothing is ready. False when there is nothing at all.
  bool run_one();
  /// Runs until nothing is left or `limit` of virtual time passed; true when nothing is left.
  bool run(MonoTime limit);
  /// Forgets every task and timer: the process they belonged to is gone.
  void clear();
  [[nodiscard]] std::uint64_t ran() const { return ran_; }

 private:
  class Lane final : public Executor {
   public:
    void post(Task task) override { tasks_.push_back(std::move(task)); }

   private:
    friend class Scheduler;
    std::deque<Task> tasks_;
  };

  void wake_due();

  Rng& rng_;
  VirtualClock& clock_;
  Trace& trace_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Task> ready_;
  std::multimap<MonoTime, Task> timers_;
  std::uint64_t ran_ = 0;
};

}  // namespace millrace::sim
