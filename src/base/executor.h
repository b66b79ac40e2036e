// Executor: somewhere a task can be run later, on one thread, in the order posted. net::Loop is the real one, the
// simulator's scheduler the other. post() may be called from any thread.
#pragma once

#include <functional>

namespace millrace {

using Task = std::move_only_function<void()>;

class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(Task task) = 0;
};

}  // namespace millrace
