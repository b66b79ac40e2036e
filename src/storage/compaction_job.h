// CompactionJob: one round of compaction of one partition, in steps of bounded work.
//
//   learn    goes through the dirty segments and remembers the newest offset of every key, as far as memory reaches
//   rewrite  group by group: what stays of a group's segments goes into one new segment under ".swap" names, which is
//            sealed and synced; then the caller puts it in their place (Partition::replace) and goes on
//
// Nothing that existed is changed or removed here. What is found damaged ends the job with `corrupt`, and the partition
// stays as it is. Thread: the segment writer.
#pragma once

#include <memory>
#include <optional>

#include "io/block_buffer.h"
#include "storage/batch_filter.h"
#include "storage/compaction_plan.h"

namespace millrace::storage {

struct CompactionLimits {
  std::size_t memory_bytes = 64_MiB;          // for keys
  std::size_t step_bytes = 256_KiB;           // read by one step
  std::uint64_t direct_write_bytes = 64_KiB;  // Segment::AppendRules::direct_bytes
  std::uint64_t seed = 0;                     // of the hash of keys
  SeededBugs bugs;
};

struct CompactionCounts {
  std::uint64_t bytes_read = 0;  // both phases
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  std::uint64_t records_dropped = 0;
};

class CompactionJob {
 public:
  CompactionJob(io::FileSystem& files, std::shared_ptr<OpenFiles> open_files, std::shared_ptr<Partition> partition,
                CompactionPlan plan, const CompactionLimits& limits, std::int64_t now_ms);

  struct Group {
    std::vector<SegmentRef> sources;
    SegmentRef merged;
  };
  enum class State : std::uint8_t { working, group_ready, finished };
  /// Errors: corrupt, io_error, disk_full; not_found and closed when a source went away.
  Result<State> step();
  /// After group_ready.
  [[nodiscard]] Group take_group();
  /// Removes the files of a group that was not taken.
  Result<void> discard();

  [[nodiscard]] const std::shared_ptr<Partition>& partition() const { return partition_; }
  [[nodiscard]] const CompactionCounts& counts() const { return counts_; }

 private:
  // Goes through the batches of one segment.
  struct Passage {
    Passage(const SegmentRef& segment, std::shared_ptr<io::File> log);
    const SegmentRef segment;
    const std::shared_ptr<io::File> file;
    BatchWalker walker;
  };
  Result<std::optional<BatchAt>> next(const SegmentRef& segment);
  Result<ByteView> checked(const BatchAt& batch);
  std::unexpected<Error> corrupt(std::uint64_t position, const char* what) const;
  Result<State> learn();
  void end_learning(Offset known_until);
  Result<State> rewrite();
  Result<void> begin_group();
  Result<void> take_batch(const BatchAt& batch);
  void cover_until(Offset next);
  Result<void> write_kept();
  Result<void> finish_group();

  io::FileSystem& files_;
  const std::shared_ptr<OpenFiles> open_files_;
  const std::shared_ptr<Partition> partition_;
  CompactionPlan plan_;
  const CompactionLimits limits_;
  const LogConfig config_;
  const std::int64_t now_ms_;
  KeyOffsets newest_;
  const std::unordered_map<ProducerId, Offset> producers_;
  BatchFilter filter_;
  CompactionCounts counts_;

  bool learning_ = true;
  Offset known_until_;
  std::size_t segment_ = 0;  // the one gone through: of plan_.dirty, then of the group
  std::size_t group_ = 0;
  std::optional<Passage> passage_;

  SegmentRef merged_;
  bool ready_ = false;
  std::vector<StoredBatch> kept_;
  std::size_t kept_bytes_ = 0;
  io::BlockBuffer blocks_;
  Offset covered_;  // the batches kept reach up to here
  std::int64_t horizon_ms_ = kNoTimestamp;
};

}  // namespace millrace::storage
