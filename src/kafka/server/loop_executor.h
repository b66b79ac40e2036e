// LoopExecutor: net::Loop as the TimedExecutor that the Kafka server and its groups run on. One per loop, shared by
// both, so that they know when they are on the same one.
#pragma once

#include "kafka/server/timed_executor.h"
#include "net/loop.h"

namespace millrace::kafka {

class LoopExecutor final : public TimedExecutor {
 public:
  explicit LoopExecutor(net::Loop& loop) : loop_(loop) {}
  void post(Task task) override { loop_.post(std::move(task)); }
  TimerId run_after(std::chrono::nanoseconds delay, Task task) override {
    return loop_.run_after(delay, std::move(task));
  }
  void cancel(TimerId timer) override { loop_.cancel(timer); }
  [[nodiscard]] net::Loop& loop() { return loop_; }

 private:
  net::Loop& loop_;
};

}  // namespace millrace::kafka
