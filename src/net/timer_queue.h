// TimerQueue: tasks by deadline. A cancelled timer leaves its heap entry behind until it surfaces or most entries are
// such. Thread: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"

namespace millrace::net {

class TimerQueue {
 public:
  /// Never returns 0.
  std::uint64_t add(MonoTime deadline, Task task);
  /// Unknown and finished ids are ignored.
  void cancel(std::uint64_t id);
  /// Runs what is due at `now`, earliest first, equal deadlines in the order added.
  void run_due(MonoTime now);
  [[nodiscard]] std::optional<MonoTime> next_deadline();
  [[nodiscard]] std::size_t size() const { return tasks_.size(); }

 private:
  struct Entry {
    MonoTime deadline;
    std::uint64_t id;
    /// std::push_heap keeps the largest in front: "less" is "later".
    bool operator<(const Entry& other) const {
      return deadline != other.deadline ? deadline > other.deadline : id > other.id;
    }
  };
  void drop_front();
  void skip_cancelled();

  std::vector<Entry> heap_;
  std::unordered_map<std::uint64_t, Task> tasks_;
  std::uint64_t next_id_ = 1;
};

}  // namespace millrace::net
