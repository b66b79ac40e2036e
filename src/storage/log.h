// Log: every partition of one data directory, behind one shared journal.
//
// The commit cycle: commit() takes all appends that are waiting, gives them offsets, writes them as one group into the
// journal (pre-zeroed, recycled files), syncs once, and only then moves high watermarks. Segments are written behind
// the journal, in large pieces, by write_behind(), and synced by checkpoint(), after which journal files are recycled.
// A group is recovered whole or not at all. docs/formats/ has every byte.
//
// Thread: "the log thread" calls open, commit, seal, retention and close; "the segment writer" calls write_behind,
// compact and checkpoint beside it. Nothing here starts a thread, so the simulator runs both from its scheduler. A
// failed write or sync of the journal is final: commit() returns io_error, everything later returns closed, and the
// process must end and recover. disk_full is not final: nothing of that commit has happened and it may be tried again.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "io/file_system.h"
#include "metrics/registry.h"
#include "storage/log_config.h"
#include "storage/partition_log.h"
#include "storage/seeded_bugs.h"

namespace millrace::storage {

struct LogOptions {
  std::uint64_t journal_file_bytes = 32_MiB;  // one journal file
  std::uint64_t journal_max_bytes =
      512_MiB;  // all journal files; beyond it commit() answers disk_full until segments caught up
  std::uint64_t checkpoint_bytes = 128_MiB;  // journal bytes between checkpoints
  std::chrono::milliseconds checkpoint_interval{10'000};
  /// Newest batches kept for readers, all partitions together. What no segment has yet is kept besides, at most the
  /// journal's size.
  std::uint64_t tail_memory_bytes = 128_MiB;
  std::uint64_t write_piece_bytes = 256_KiB;              // unit in which segments are written behind
  std::uint64_t compaction_memory_bytes = 64_MiB;         // for the keys of one round; more keys take more rounds
  std::uint64_t compaction_bytes_per_second = 0;          // read by compaction at most; 0: no limit
  std::chrono::milliseconds compaction_interval{15'000};  // between looks for something to compact
  /// Pieces of a segment from this size on are written past the page cache, so that the journal's syncs never wait for
  /// pages somebody else dirtied; smaller ones are cheaper through it.
  std::uint64_t direct_write_bytes = 64_KiB;
  std::size_t open_files = 512;  // segment files open at once; those that a sender still sends from are not counted
  /// A checkpoint syncs so many segments one by one; more are synced by one call for the whole volume.
  std::size_t sync_one_by_one = 128;
  /// A start after a crash writes so much of what it found in the journal to segments before it opens; more is written
  /// behind.
  std::uint64_t start_write_bytes = 16_MiB;
  std::uint64_t seed = 0;  // of a new directory's cluster id and salt; 0: the system's entropy. For repeatable tests
  SeededBugs bugs;         // tests only
};

/// What open() found; logged at start and shown by tests.
struct RecoveryReport {
  bool clean = false;                 // the last stop was a clean one
  std::uint64_t groups_replayed = 0;  // journal groups behind the last checkpoint
  std::uint64_t bytes_replayed = 0;
  std::uint64_t partitions = 0;
  std::chrono::nanoseconds took{};
};

struct PartitionSpec {
  TopicPartition name;
  Uuid topic_id;
  LogConfig config;
  /// Kept with the partition and given back by partitions(): topics stores the topic's own settings here.
  std::string properties;
};

struct Appended {
  Offset base_offset;
  Offset log_start;
  std::int64_t log_append_time_ms = kNoTimestamp;  // set when the topic uses LogAppendTime
  bool duplicate = false;  // an idempotent producer sent this batch before; base_offset is the old one
};

/// One record batch for one partition. The batch was checked with validate_produced_batch (or built here) and is
/// patched in place.
struct Append {
  PartitionLog* partition = nullptr;
  SharedBytes batch;
  /// Set by commit(). Errors of a single append: not_found (partition deleted), too_large (max.message.bytes),
  /// out_of_order, fenced (producer epoch).
  Result<Appended> outcome = Appended{};
};

struct CreatePartition {
  PartitionSpec spec;
  Result<std::shared_ptr<PartitionLog>> outcome = nullptr;  // already_exists
};
struct DeletePartition {
  TopicPartition name;
  Result<void> outcome;  // not_found
};
/// Replaces config and properties of a partition.
struct ConfigurePartition {
  TopicPartition name;
  LogConfig config;
  std::string properties;
  Result<void> outcome;  // not_found
};
/// Moves the log start up to `offset` (DeleteRecords).
struct TrimPartition {
  TopicPartition name;
  Offset offset;
  Result<void> outcome;  // not_found, out_of_range
};
using PartitionChange = std::variant<CreatePartition, DeletePartition, ConfigurePartition, TrimPartition>;

class Log {
 public:
  virtual ~Log() = default;

  /// Recovers and opens. Errors: locked (another process), unsupported_version (a newer format), corrupt (damage that
  /// is not a torn tail: file and position in detail; nothing is changed), io_error, disk_full.
  static Result<std::unique_ptr<Log>> open(io::FileSystem& files, const Clock& clock, metrics::Registry& metrics,
                                           const LogOptions& options, RecoveryReport* report = nullptr);

  /// Makes all changes, then all appends, durable in one atomic group, and fills their outcomes. An append whose
  /// outcome is an error is not written; the others are. On disk_full or io_error no outcome counts. Returns when the
  /// group is synced and visible.
  virtual Result<void> commit(std::span<PartitionChange> changes, std::span<Append* const> appends) = 0;

  /// Tells recovery that the newest group was acknowledged, by an empty group behind it. Without one, damage to the
  /// very last group of the journal looks like a write that a crash interrupted. Nothing to do (and cheap) when the
  /// newest group is such a one. To be called when nothing was committed for a while; disk_full: later.
  virtual Result<void> seal() = 0;
  /// One step of background work: a piece of a waiting tail into its segment, a piece of zeros into the next journal
  /// file, files of deleted partitions and expired segments unlinked. A tail is written when a whole piece waits, or
  /// memory is short, or its oldest batch waits for a second (longer when thousands wait). False:
  /// nothing is due; call again in some milliseconds. disk_full: try later.
  virtual Result<bool> write_behind() = 0;
  /// One step of compaction, beside write_behind: reads about one piece, writes what stays of it. Never waits for an
  /// append, and no append or reader waits for it. False: nothing to do now; call again in some milliseconds.
  virtual Result<bool> compact() = 0;
  /// True when enough journal was used, or time passed, that checkpoint() should run.
  [[nodiscard]] virtual bool checkpoint_due() const = 0;
  /// Writes what is waiting, syncs segments and producer snapshots, writes the checkpoint, frees journal files.
  virtual Result<void> checkpoint() = 0;
  /// Moves log starts by time and size, in one journal group, and forgets producers not seen for a day. Files are
  /// unlinked by write_behind(), so this never waits for them. Segments roll by age when the next batch comes; one that
  /// is all expired goes without.
  virtual Result<void> enforce_retention() = 0;
  /// When the disk is full: gives up the oldest closed segment of all topics whose millrace.disk.full.policy allows it,
  /// in one journal group; its files are unlinked by write_behind(). False: there is none.
  virtual Result<bool> make_room() = 0;
  /// Clean stop: everything into segments, files trimmed, checkpoint marked clean. Nothing may be called afterwards.
  virtual Result<void> close() = 0;

  struct PartitionEntry {
    std::shared_ptr<PartitionLog> log;
    PartitionSpec spec;
  };
  /// Every partition that exists, sorted by name.
  [[nodiscard]] virtual std::vector<PartitionEntry> partitions() const = 0;
  /// Those of one topic, by index.
  [[nodiscard]] virtual std::vector<PartitionEntry> partitions_of(std::string_view topic) const = 0;
  /// Fixed when the data directory was made.
  [[nodiscard]] virtual const Uuid& cluster_id() const = 0;
  /// A producer id never handed out before by this data directory (durable before it returns).
  virtual Result<ProducerId> next_producer_id() = 0;
};

}  // namespace millrace::storage
