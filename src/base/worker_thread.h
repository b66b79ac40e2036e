// WorkerThread: an Executor with a thread of its own, for work that would keep a loop from its connections (handshakes,
// password hashes). Whoever posts bounds what waits here. Thread: any; stop() once, by the owner.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "base/executor.h"

namespace millrace {

class WorkerThread final : public Executor {
 public:
  explicit WorkerThread(const std::string& name);
  ~WorkerThread() override;
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  /// Dropped once stop() was called.
  void post(Task task) override;
  /// Ends the running task, destroys the waiting ones without running them, and joins. What tasks refer to must live
  /// until here.
  void stop();

 private:
  void run();

  std::mutex mutex_;  // guards tasks_ and stopping_; taken alone
  std::condition_variable posted_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millrace
