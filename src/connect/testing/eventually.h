// Waiting in tests for what no event tells about. Thread: any.
#pragma once

#include <chrono>

#include "base/queue_executor.h"

namespace millrace::connect::testing {

/// Polls `condition` until it holds; false after ten seconds.
template <class Condition>
bool eventually(Condition condition) {
  QueueExecutor idle;
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    idle.run_until([] { return false; }, std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace millrace::connect::testing
