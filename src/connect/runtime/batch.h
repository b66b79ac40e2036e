// Batch: the records of one put(), gathered from the lanes of a task until it is full (count, bytes) or its linger is
// over. It owns everything the records view. Thread: the task's.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "connect/converters/converter.h"
#include "connect/runtime/failed_record.h"
#include "connect/runtime/lane.h"
#include "connect/runtime/record_path.h"

namespace millrace::connect {

struct BatchLimits {
  std::size_t records = 500;
  std::size_t bytes = 1_MiB;
  std::chrono::milliseconds linger{0};
};

class Batch {
 public:
  explicit Batch(BatchLimits limits) : limits_(limits) {}

  /// Takes records of `lane` until the batch is full or the lane has no more. Records that fail on the way go to
  /// failed(). Errors: those of Lane.
  Result<void> add_from(Lane& lane, RecordPath& path);
  [[nodiscard]] bool full() const { return seen_ >= limits_.records || bytes_ >= limits_.bytes; }
  /// No record was looked at since clear().
  [[nodiscard]] bool untouched() const { return seen_ == 0; }

  [[nodiscard]] std::span<const SinkRecord> records() const { return records_; }
  [[nodiscard]] std::span<const FailedRecord> failed() const { return failed_; }
  [[nodiscard]] std::size_t seen() const { return seen_; }        // kept, dropped and failed
  [[nodiscard]] std::size_t dropped() const { return dropped_; }  // by a transformation
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const BatchLimits& limits() const { return limits_; }
  void clear();

 private:
  BatchLimits limits_;
  BatchRoom room_;
  std::vector<Block> blocks_;
  std::vector<SinkRecord> records_;
  std::vector<FailedRecord> failed_;
  std::size_t seen_ = 0;
  std::size_t dropped_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace millrace::connect
