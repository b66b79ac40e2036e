// PartitionWatches: which waiting fetches want to know when which partition grows. One outstanding
// PartitionLog::when_beyond per partition and loop, however many fetches come and go, so that a consumer of many quiet
// partitions leaves nothing behind. Thread: the loop's.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/executor.h"
#include "kafka/server/connection.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

class PartitionWatches {
 public:
  explicit PartitionWatches(Executor& executor) : executor_(executor) {}
  ~PartitionWatches();

  /// `waiter` hears once when the high watermark is beyond `beyond` or the partition is deleted; perhaps earlier for
  /// nothing.
  void watch(const std::shared_ptr<topics::Partition>& partition, Offset beyond, const std::shared_ptr<Waiter>& waiter);
  void unwatch(const topics::Partition* partition, const Waiter* waiter);
  [[nodiscard]] std::size_t size() const { return watches_.size(); }

 private:
  struct Watch {
    std::shared_ptr<topics::Partition> partition;
    std::vector<std::shared_ptr<Waiter>> waiters;
  };
  void fire(const topics::Partition* partition);

  Executor& executor_;
  std::unordered_map<const topics::Partition*, Watch> watches_;  // an entry is armed
};

}  // namespace millrace::kafka
