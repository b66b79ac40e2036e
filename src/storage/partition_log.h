// PartitionLog: one partition as its readers see it.
//
// Only synced records are visible: the high watermark is the first offset that a power cut could still take. The newest
// batches are served from memory, older ones from segment files. Made and changed by storage::Log only. Thread: every
// public function here may be called from any thread; none waits for a sync.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "base/executor.h"
#include "base/file_slice.h"
#include "base/result.h"
#include "model/ids.h"
#include "model/topic_partition.h"

namespace millrace::storage {

struct ReadResult {
  /// Whole batches, in offset order; the first one contains the offset asked for (it may start before it). Each
  /// begins where the one before ends, but where a topic was compacted records are missing within a batch, and a batch
  /// may hold none at all. Who reads on continues at the batch's last offset + 1.
  std::vector<SharedBytes> batches;
  /// Instead of `batches`: the same bytes as a part of a segment file (read_file() only).
  FileSlice file{};
  std::size_t bytes = 0;
  Offset high_watermark;
  Offset log_start;
};

struct TimestampedOffset {
  std::int64_t timestamp_ms = 0;
  Offset offset;
};

/// An idempotent producer as a partition remembers it.
struct ProducerState {
  ProducerId id = kNoProducer;
  ProducerEpoch epoch = kNoProducerEpoch;
  std::int32_t last_sequence = kNoSequence;
  std::int64_t last_timestamp_ms = kNoTimestamp;
};

class PartitionLog {
 public:
  virtual ~PartitionLog() = default;
  [[nodiscard]] virtual const TopicPartition& name() const = 0;
  [[nodiscard]] virtual Offset log_start() const = 0;
  /// First offset that is not yet durable; also the next offset a reader will get.
  [[nodiscard]] virtual Offset high_watermark() const = 0;
  [[nodiscard]] virtual bool deleted() const = 0;
  /// Bytes in segments and memory.
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;

  /// Batches from the one holding `from` up to about `max_bytes`; always at least one batch when there is one (KIP-74),
  /// whatever its size. Empty at the high watermark. Errors: out_of_range (below log_start or above the high
  /// watermark), corrupt (the batch at this place fails its checksum: named in detail, never served), io_error, closed
  /// (deleted).
  virtual Result<ReadResult> read(Offset from, std::size_t max_bytes) = 0;

  /// The same without looking at the disk: nullopt when the answer lies there. For threads that must not wait.
  virtual Result<std::optional<ReadResult>> read_memory(Offset from, std::size_t max_bytes) {
    return read(from, max_bytes);
  }
  /// The same for a sender: what lies in a segment is checked and given as a part of the file, where the file system
  /// has descriptors.
  virtual Result<ReadResult> read_file(Offset from, std::size_t max_bytes) { return read(from, max_bytes); }

  /// First record with timestamp >= `timestamp_ms`, exact within its batch; nullopt when there is none (ListOffsets).
  virtual Result<std::optional<TimestampedOffset>> find_timestamp(std::int64_t timestamp_ms) = 0;
  /// The record with the largest timestamp (ListOffsets -3, KIP-734); nullopt in an empty partition.
  virtual Result<std::optional<TimestampedOffset>> find_max_timestamp() = 0;

  /// The idempotent producers that are remembered, sorted by id (DescribeProducers).
  [[nodiscard]] virtual std::vector<ProducerState> producers() const { return {}; }

  /// Posts `task` to `executor` once, as soon as high_watermark() > `beyond` or the partition is deleted (at once when
  /// it is so already). `executor` must outlive the wait or be forgotten through cancel_waits().
  virtual void when_beyond(Offset beyond, Executor& executor, Task task) = 0;
  virtual void cancel_waits(Executor& executor) = 0;
};

}  // namespace millrace::storage
