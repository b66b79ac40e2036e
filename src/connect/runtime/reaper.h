// Reaper: a thread that waits for tasks to end, so that the worker's loop never does. Thread: bury() any.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/executor.h"
#include "base/queue_executor.h"
#include "base/thread_name.h"
#include "connect/runtime/connector_task.h"

namespace millrace::connect {

class Reaper {
 public:
  Reaper()
      : thread_([this] {
          name_this_thread("connect-reaper");
          while (!done_) queue_.run_until([this] { return done_.load(); }, std::chrono::hours(1));
          queue_.run_ready();
        }) {}
  ~Reaper() {
    queue_.post([this] { done_ = true; });
    thread_.join();
  }
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  /// Posts `then` to `reply_to` when every task has ended. They were told to stop.
  void bury(std::vector<std::unique_ptr<ConnectorTask>> tasks, Executor& reply_to, Task then) {
    queue_.post([tasks = std::move(tasks), &reply_to, then = std::move(then)]() mutable {
      tasks.clear();
      reply_to.post(std::move(then));
    });
  }

 private:
  QueueExecutor queue_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace millrace::connect
