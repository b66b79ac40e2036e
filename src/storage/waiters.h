// Waiters: who wants to hear that a partition's high watermark passed an offset (long polls).
//
// Invariant: after cancel() returned, nothing is posted to that executor any more; so tasks are posted with the lock
// held. An executor's post() only queues, it never runs the task. Thread: any.
#pragma once

#include <algorithm>
#include <mutex>
#include <vector>

#include "base/executor.h"
#include "model/ids.h"

namespace millrace::storage {

class Waiters {
 public:
  /// `reached()` tells, under the lock, whether there is nothing to wait for.
  template <class Reached>
  void add(Offset beyond, Executor& executor, Task task, Reached&& reached) {
    const std::scoped_lock lock(mutex_);
    if (reached()) {
      executor.post(std::move(task));
    } else {
      waiting_.push_back({beyond, &executor, std::move(task)});
    }
  }

  /// Wakes those that waited for something below `high_watermark`.
  void wake(Offset high_watermark) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(waiting_, [&](Waiter& waiter) {
      if (waiter.beyond >= high_watermark) return false;
      waiter.executor->post(std::move(waiter.task));
      return true;
    });
  }
  void wake_all() {
    const std::scoped_lock lock(mutex_);
    for (Waiter& waiter : waiting_) waiter.executor->post(std::move(waiter.task));
    waiting_.clear();
  }
  void cancel(Executor& executor) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(waiting_, [&](const Waiter& waiter) { return waiter.executor == &executor; });
  }

 private:
  struct Waiter {
    Offset beyond;
    Executor* executor = nullptr;
    Task task;
  };
  // Guards waiting_. Held while a task is posted, so an executor takes its own lock inside it.
  std::mutex mutex_;
  std::vector<Waiter> waiting_;
};

}  // namespace millrace::storage
