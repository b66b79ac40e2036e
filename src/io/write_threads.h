// WriteThreads: a few threads on which calls that wait for the disk go on side by side with the caller's.
//
// They begin with the first run() that has work for them, and end with the object. Thread: run() from any thread, one
// at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::io {

class WriteThreads {
 public:
  WriteThreads() = default;
  WriteThreads(const WriteThreads&) = delete;
  WriteThreads& operator=(const WriteThreads&) = delete;
  ~WriteThreads();

  /// Calls `call(0)` to `call(count - 1)`, each once, and returns when all have returned.
  void run(std::size_t count, const std::function<void(std::size_t)>& call);

 private:
  void start();
  void work();
  void take_calls(std::unique_lock<std::mutex>& lock);

  std::mutex running_;  // one run() at a time
  std::mutex mutex_;    // guards what follows
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(std::size_t)>* call_ = nullptr;  // null: nothing to do
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  std::size_t left_ = 0;  // calls that have not returned
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::io
