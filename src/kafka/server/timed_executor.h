// TimedExecutor: the part of an event loop that the Kafka server needs: posted tasks and timers, on one thread.
// net::Loop in the program, a hand-turned one in tests.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/executor.h"

namespace millrace::kafka {

class TimedExecutor : public Executor {
 public:
  using TimerId = std::uint64_t;  // 0 is none
  virtual TimerId run_after(std::chrono::nanoseconds delay, Task task) = 0;
  virtual void cancel(TimerId timer) = 0;
};

}  // namespace millrace::kafka
