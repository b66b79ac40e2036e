// TailBudget: bounds the memory of all partitions' tails together; the oldest batches go first.
//
// Invariant: only batches that a segment holds are dropped; the others stay, and the journal's size bounds them.
// Thread: any; lock order: this, then a partition's.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "storage/partition.h"

namespace millrace::storage {

class TailBudget {
 public:
  explicit TailBudget(std::uint64_t limit) : limit_(limit) {}

  /// `count` batches came to the tail of `partition`.
  void added(const std::shared_ptr<Partition>& partition, std::size_t count, std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    order_.push_back({partition, count});
    bytes_ += bytes;
  }

  /// Drops what is over the limit and written. The memory is freed after the lock is.
  void evict() {
    std::vector<StoredBatch> dropped;
    const std::scoped_lock lock(mutex_);
    while (bytes_ > limit_ && !order_.empty()) {
      Run& oldest = order_.front();
      while (oldest.count > 0 && bytes_ > limit_) {
        auto batch = oldest.partition->evict_oldest();
        if (!batch) return;
        bytes_ -= batch->bytes.size();
        --oldest.count;
        dropped.push_back(std::move(*batch));
      }
      if (oldest.count == 0) order_.pop_front();
    }
  }

  /// While over the limit, and over `tolerated` bytes: the partition whose unwritten batches are in the way.
  [[nodiscard]] std::shared_ptr<Partition> holding_back(std::uint64_t tolerated) const {
    const std::scoped_lock lock(mutex_);
    return bytes_ > std::max(limit_, tolerated) && !order_.empty() ? order_.front().partition : nullptr;
  }
  [[nodiscard]] std::uint64_t bytes() const {
    const std::scoped_lock lock(mutex_);
    return bytes_;
  }

 private:
  struct Run {
    std::shared_ptr<Partition> partition;
    std::size_t count = 0;
  };
  const std::uint64_t limit_;
  // Guards order_ and bytes_. A partition takes its own lock inside it (evict_oldest).
  mutable std::mutex mutex_;
  std::deque<Run> order_;
  std::uint64_t bytes_ = 0;
};

}  // namespace millrace::storage
