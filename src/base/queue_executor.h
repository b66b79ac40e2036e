// QueueExecutor: an Executor without a thread of its own. Tasks wait until the owner runs them: for tests, and for
// threads that must wait for an answer (start-up code). Thread: post() any; the rest by the owner.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "base/executor.h"

namespace millrace {

class QueueExecutor final : public Executor {
 public:
  void post(Task task) override {
    // Told with the mutex held: the task may let its owner destroy this object, which must not happen before
    // notify_one() has returned.
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }
  /// Runs everything that is there; returns how many.
  std::size_t run_ready() {
    std::size_t ran = 0;
    while (true) {
      Task task;
      {
        const std::scoped_lock lock(mutex_);
        if (tasks_.empty()) return ran;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
      ++ran;
    }
  }
  /// Runs tasks as they come until `done()` holds; false when it does not within `limit`.
  template <class Done>
  bool run_until(Done done, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (true) {
      run_ready();
      if (done()) return true;
      std::unique_lock lock(mutex_);
      if (!posted_.wait_until(lock, until, [this] { return !tasks_.empty(); })) return done();
    }
  }

 private:
  std::mutex mutex_;  // guards tasks_; taken alone
  std::condition_variable posted_;
  std::deque<Task> tasks_;
};

}  // namespace millrace
