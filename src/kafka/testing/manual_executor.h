// ManualExecutor: a TimedExecutor turned by hand, with a clock that stands still otherwise. Tasks may be posted from
// any thread; everything else belongs to the test's.
#pragma once

#include <deque>
#include <map>
#include <mutex>

#include "base/clock.h"
#include "kafka/server/timed_executor.h"

namespace millrace::kafka::testing {

class ManualExecutor final : public TimedExecutor {
 public:
  explicit ManualExecutor(ManualClock& clock) : clock_(clock) {}
  void post(Task task) override {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  TimerId run_after(std::chrono::nanoseconds delay, Task task) override {
    timers_.emplace(++last_id_, Timer{clock_.mono() + delay, std::move(task)});
    return last_id_;
  }
  void cancel(TimerId timer) override { timers_.erase(timer); }

  /// Runs what is posted, and what that posts, until nothing is left.
  void run() {
    while (true) {
      Task task;
      {
        const std::scoped_lock lock(mutex_);
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }
  /// Moves the clock and runs the timers that are due, in order of their time.
  void advance(std::chrono::nanoseconds by) {
    const MonoTime until = clock_.mono() + by;
    while (true) {
      run();
      auto next = timers_.end();
      for (auto it = timers_.begin(); it != timers_.end(); ++it) {
        if (it->second.due <= until && (next == timers_.end() || it->second.due < next->second.due)) next = it;
      }
      if (next == timers_.end()) break;
      clock_.advance(std::max(next->second.due - clock_.mono(), MonoTime{0}));
      Task task = std::move(next->second.task);
      timers_.erase(next);
      task();
    }
    clock_.advance(until - clock_.mono());
    run();
  }
  [[nodiscard]] std::size_t timers() const { return timers_.size(); }

 private:
  struct Timer {
    MonoTime due;
    Task task;
  };
  ManualClock& clock_;
  std::mutex mutex_;  // guards tasks_; nothing else is locked under it
  std::deque<Task> tasks_;
  std::map<TimerId, Timer> timers_;
  TimerId last_id_ = 0;
};

}  // namespace millrace::kafka::testing
