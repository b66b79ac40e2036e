// MemoryBudget: the bytes that all sinks together may keep. Adding never fails: a sink that is told "over" gives
// something up (it rotates its files) at the next moment it can. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace::connect {

class MemoryBudget {
 public:
  explicit MemoryBudget(std::int64_t limit) : limit_(limit) {}
  /// False: more is kept than the limit.
  bool add(std::int64_t change) { return used_.fetch_add(change, std::memory_order_relaxed) + change <= limit_; }
  [[nodiscard]] std::int64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t limit() const { return limit_; }

 private:
  const std::int64_t limit_;
  std::atomic<std::int64_t> used_{0};
};

}  // namespace millrace::connect
