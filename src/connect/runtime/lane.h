// Lane: one partition as its task reads it: blocks of records fetched from the log, handed out one by one, and the
// offsets that matter: next to hand out, taken by the sink, committed as bookmark. Thread: the task's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/buffer.h"
#include "base/result.h"
#include "connect/runtime/memory_budget.h"
#include "model/record_reader.h"
#include "topics/topic_log.h"

namespace millrace::connect {

/// Records side by side that are read in place. `share` counts what they took of memory beyond the log's own copy: of
/// compressed batches; null otherwise.
struct Block {
  SharedBytes bytes;
  std::shared_ptr<const MemoryShare> share;
};

class Lane {
 public:
  Lane(std::uint32_t number, std::shared_ptr<topics::Partition> partition, Offset next, std::string note)
      : number_(number),
        partition_(std::move(partition)),
        start_(next),
        next_(next),
        taken_(next),
        committed_(next),
        note_(std::move(note)) {}

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] topics::Partition& partition() const { return *partition_; }
  [[nodiscard]] const TopicPartition& name() const { return partition_->name(); }
  [[nodiscard]] const std::string& note() const { return note_; }

  /// Counts decompressed blocks there, which outlives them.
  void count_memory(MemoryBudget& memory) { memory_ = &memory; }
  /// Hands out these offsets alone, from now on. Null: all. Outlives the lane.
  void restrict_to(const std::set<Offset>* only) { only_ = only; }
  /// Which of them next() has handed out.
  [[nodiscard]] const std::set<Offset>& handed_out() const { return handed_out_; }
  /// A batch to be read before those of the log: of records that are no longer there.
  void feed(SharedBytes batch) { fetched_.push_back(std::move(batch)); }
  /// Whether next() has something, reading up to about `max_bytes` when it must. A lane whose records are gone
  /// (retention) goes on at the log's start; lost() counts them. Errors: those of PartitionLog::read.
  Result<bool> fetch(std::size_t max_bytes);
  /// The next record and its block moves on; nullopt when the fetched blocks are used up. Views live as long as
  /// block(). Errors: malformed, too_large (decompressed).
  Result<std::optional<ReadRecord>> next();
  /// The bytes the last record of next() views.
  [[nodiscard]] const Block& block() const { return block_; }

  [[nodiscard]] Offset start() const { return start_; }
  [[nodiscard]] Offset position() const { return next_; }
  [[nodiscard]] Offset taken() const { return taken_; }
  void take(Offset up_to) { taken_ = up_to; }
  [[nodiscard]] Offset committed() const { return committed_; }
  void commit(Offset up_to) { committed_ = up_to; }
  [[nodiscard]] std::int64_t lost() const { return lost_; }

 private:
  Result<bool> open_block();

  std::uint32_t number_;
  std::shared_ptr<topics::Partition> partition_;
  Offset start_;
  Offset next_;       // first offset not handed out
  Offset taken_;      // first offset the sink has not taken
  Offset committed_;  // the bookmark on disk
  std::string note_;
  std::deque<SharedBytes> fetched_;
  Block block_;
  MemoryBudget* memory_ = nullptr;  // null: nobody counts
  std::optional<RecordReader> reader_;
  Offset block_end_;
  std::int64_t lost_ = 0;
  const std::set<Offset>* only_ = nullptr;
  std::set<Offset> handed_out_{};
};

}  // namespace millrace::connect
