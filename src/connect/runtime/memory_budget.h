// MemoryBudget: the bytes that all sinks together may keep. Adding never fails and nobody waits for room, so nothing
// can be stuck: who is told "over" gives something up (it spills to disk, cuts its objects, waits for what is under
// way) at the next moment it can. Thread: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace millrace::connect {

/// `roomy`: who has begun to give something up may stop.
enum class MemoryLevel : std::uint8_t { roomy, filling, over };

class MemoryBudget {
 public:
  explicit MemoryBudget(std::int64_t limit) : limit_(limit) {}
  MemoryLevel add(std::int64_t change) { return level_of(used_.fetch_add(change, std::memory_order_relaxed) + change); }
  [[nodiscard]] MemoryLevel level() const { return level_of(used()); }
  [[nodiscard]] std::int64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t limit() const { return limit_; }

 private:
  [[nodiscard]] MemoryLevel level_of(std::int64_t used) const {
    if (used > limit_) return MemoryLevel::over;
    return used > limit_ / 4 * 3 ? MemoryLevel::filling : MemoryLevel::roomy;
  }

  const std::int64_t limit_;
  std::atomic<std::int64_t> used_{0};
};

/// Bytes that are counted as long as this lives; the budget outlives it.
class MemoryShare {
 public:
  MemoryShare(MemoryBudget& budget, std::size_t bytes) : budget_(budget), bytes_(static_cast<std::int64_t>(bytes)) {
    budget_.add(bytes_);
  }
  ~MemoryShare() { budget_.add(-bytes_); }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

 private:
  MemoryBudget& budget_;
  const std::int64_t bytes_;
};

}  // namespace millrace::connect
