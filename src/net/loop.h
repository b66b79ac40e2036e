// Loop: one thread's event loop. Owns its listeners and its connections for life; nothing here is locked except the
// queue of posted tasks.
//
// A turn: wait until something is ready, handle at most a bounded number of ready events, run the turn-end hooks (they
// hand the gathered appends to the log and flush the streams that were written to), repeat.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/executor.h"

namespace millrace::net {

class Loop final : public Executor {
 public:
  Loop();
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(). Thread: the one that will own everything here.
  void run();
  /// Thread: any.
  void stop();
  /// Thread: any. Tasks run in the order posted; a burst of posts wakes the loop once.
  void post(Task task) override;
  [[nodiscard]] bool in_loop_thread() const;

  using TimerId = std::uint64_t;  // 0 is none
  /// Runs `task` once after `delay`. Thread: the loop's.
  TimerId run_after(std::chrono::nanoseconds delay, Task task);
  void cancel(TimerId timer);

  using HookId = std::uint64_t;
  /// Runs `hook` at the end of every turn until removed. Hooks run in the order added; the flushing of streams comes
  /// after all.
  HookId at_turn_end(std::move_only_function<void()> hook);
  void remove_hook(HookId hook);

  struct Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::net
