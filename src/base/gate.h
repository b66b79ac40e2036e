// Gate: how an object with work in flight is stopped. Work enters and leaves; close() refuses new entries and returns
// when the last one has left. Thread: any; close() blocks and is called once, never from inside the gate.
#pragma once

#include <condition_variable>
#include <mutex>

namespace millrace {

class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// False once the gate is closed; otherwise pair with leave().
  [[nodiscard]] bool enter() {
    const std::scoped_lock lock(mutex_);
    if (closed_) return false;
    ++inside_;
    return true;
  }
  void leave() {
    const std::scoped_lock lock(mutex_);
    if (--inside_ == 0 && closed_) empty_.notify_all();
  }
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    empty_.wait(lock, [this] { return inside_ == 0; });
  }
  [[nodiscard]] bool closed() const {
    const std::scoped_lock lock(mutex_);
    return closed_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  int inside_ = 0;
  bool closed_ = false;
};

}  // namespace millrace
