// DiskLog: storage::Log over io::FileSystem. Split by concern: disk_log.cpp (open and small things), recovery.cpp,
// commit.cpp, segment_writer.cpp, checkpoint.cpp, compaction.cpp, retention.cpp.
//
// Invariant: the journal position that a checkpoint names was published before the partitions' ends were taken, so
// replaying from it meets only groups that are new or already known; applying a known one changes nothing (ids are
// never reused, offsets only grow). Thread: as log.h says. Shared between the two threads: the partition table, the
// lists in Shared, the journal's own lists, and what Partition guards. No lock is held over I/O.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <set>

#include "storage/compaction_job.h"
#include "storage/format_file.h"
#include "storage/journal.h"
#include "storage/journal_scan.h"
#include "storage/log_metrics.h"
#include "storage/partition.h"
#include "storage/retention_clock.h"
#include "storage/tail_budget.h"

namespace millrace::storage {

class DiskLog final : public Log {
 public:
  DiskLog(io::FileSystem& files, const Clock& clock, metrics::Registry& metrics, const LogOptions& options,
          std::unique_ptr<io::File> lock, const DirectoryFormat& format);

  /// Recovers; once, before anything else.
  Result<void> recover(RecoveryReport& report);

  Result<void> commit(std::span<PartitionChange> changes, std::span<Append* const> appends) override;
  Result<void> seal() override;
  Result<bool> write_behind() override;
  Result<bool> compact() override;
  [[nodiscard]] bool checkpoint_due() const override;
  Result<void> checkpoint() override;
  Result<void> enforce_retention() override;
  Result<bool> make_room() override;
  Result<void> close() override;
  [[nodiscard]] std::vector<PartitionEntry> partitions() const override;
  [[nodiscard]] std::vector<PartitionEntry> partitions_of(std::string_view topic) const override;
  [[nodiscard]] const Uuid& cluster_id() const override { return format_.cluster_id; }
  Result<ProducerId> next_producer_id() override;

 private:
  using PartitionPtr = std::shared_ptr<Partition>;

  // commit.cpp
  struct Planned {                                   // what the changes of a commit will do once it is durable
    std::map<TopicPartition, PartitionPtr> created;  // nullptr: deleted by this commit
    std::vector<PartitionPtr> deleted;
    std::vector<std::pair<PartitionPtr, const ConfigurePartition*>> configured;
    std::vector<std::pair<PartitionPtr, Offset>> trimmed;
    PartitionId next_partition;
  };
  void plan(std::span<PartitionChange> changes, Planned& planned);
  [[nodiscard]] PartitionPtr find_planned(const Planned& planned, const TopicPartition& name) const;
  void apply(const Planned& planned);
  Result<void> write_group(std::int64_t now_ms);
  Result<void> write_late_group();
  void publish_appends();
  Result<void> usable() const;
  std::unexpected<Error> died(const Error& error);

  void note_waiting(const PartitionPtr& partition, MonoTime since);
  void note_piece(const PartitionPtr& partition);
  void doom(std::vector<SegmentRef> segments);

  // segment_writer.cpp
  struct PendingPiece {  // on its way to a segment
    PartitionPtr partition;
    SegmentRef segment;
    std::vector<StoredBatch> batches;
    Segment::Piece piece;
    const io::BlockBuffer* blocks = nullptr;  // what the piece has to write
    std::int64_t now_ms = 0;
    MonoTime started{};
  };
  Result<std::optional<PendingPiece>> begin_piece(const PartitionPtr& owner, Offset limit, bool pad,
                                                  io::BlockBuffer& blocks);
  Result<void> finish_piece(PendingPiece pending, const Result<void>& written);
  Result<bool> write_piece(const PartitionPtr& partition, Offset limit);
  Result<bool> ensure_directory(Partition& partition);
  Result<void> seal_active(Partition& partition, const SegmentRef& active);
  void note_dirty(const std::shared_ptr<Segment>& segment);
  [[nodiscard]] PartitionPtr choose_partition();
  [[nodiscard]] std::uint64_t worth_a_checkpoint() const;
  [[nodiscard]] std::uint64_t checkpoint_bytes() const;
  void show_sizes();
  struct Unwritten {  // what a checkpoint has to say anew
    PartitionPtr partition;
    PartitionCheckpoint state;
    std::uint64_t changes = 0;
    bool wrote = false;
  };
  Result<void> write_together(std::span<Unwritten* const> changed, std::span<io::BlockBuffer> blocks);
  Result<void> write_checkpoint(bool clean);
  Result<void> write_changed(std::vector<Unwritten>& changed);
  static void describe(Unwritten& changed);
  Result<void> settle_for_stop(Partition& partition);
  Result<void> write_snapshot(const Partition& partition, Offset at, const ProducerTable& producers);
  Result<void> name_snapshots();
  Result<void> sync_segments();
  Result<void> keep_journal_ready();
  Result<void> rename_removed();
  Result<bool> unlink_some(MonoTime time);

  // compaction.cpp
  struct Swap {  // what a checkpoint has to name before the files it replaced may go
    PartitionPtr partition;
    CompactionJob::Group group;
  };
  bool begin_compaction();
  Result<void> abandon_compaction();
  Result<bool> compaction_failed(const Error& error);
  [[nodiscard]] bool compaction_is_ahead() const;
  Result<bool> end_unplaced(const CompactionJob::Group& group);
  Result<void> settle_swaps();
  /// True when names changed.
  Result<bool> recover_compacted(Partition& partition, std::span<const std::string> names);

  // retention.cpp
  Result<bool> move_starts(std::span<const std::pair<PartitionPtr, Offset>> moved);

  // recovery.cpp
  struct Replay {
    PartitionId known_below;  // the checkpoint knows what became of ids below it
    bool after_clean_stop = false;
    std::map<PartitionId, PartitionPtr> by_id;
    std::map<PartitionId, Offset> checkpointed;  // where the checkpoint says that segments end
    std::set<PartitionId> had_segments;          // as the checkpoint says, before trims
    std::set<PartitionId> created;
    std::set<PartitionId> gone;
    std::set<PartitionId> appended;
    std::map<PartitionId, Offset> trims;
    std::int64_t newest_ms = 0;  // wall time of the newest append that left a trace
    std::set<std::string> stale_directories;
    std::vector<SegmentRef> longer;  // files go on behind what the checkpoint says
  };
  Result<void> replay_group(const JournalGroup& group, Replay& replay);
  Result<void> replay_append(const AppendEntry& entry, const JournalGroup& group, SharedBytes bytes, Replay& replay);
  Result<void> replay_change(const JournalEntry& entry, Replay& replay);
  Result<void> check_partition(Partition& partition, Offset checkpointed, Replay& replay);
  Result<void> find_doomed_trees();
  Result<void> take_partitions(const Replay& replay);
  Result<void> recover_clean(const Checkpoint& checkpoint, Replay& replay, RecoveryReport& report);
  Result<void> recover_unclean(const Checkpoint& checkpoint, Replay& replay, RecoveryReport& report);
  Result<bool> stopped_clean(const CheckpointHead& head) const;
  Result<void> confirm(const JournalScan& scan);
  Result<void> settle_files(Replay& replay);
  Result<std::vector<std::string>> list_if_there(const std::string& directory);

  static constexpr MonoTime kDeletedDelay = std::chrono::seconds(60);  // for what a crash left renamed

  io::FileSystem& files_;
  const Clock& clock_;
  const LogOptions options_;
  std::unique_ptr<io::File> lock_;
  const DirectoryFormat format_;
  LogMetrics metrics_;
  Journal journal_;
  const std::shared_ptr<OpenFiles> open_files_;
  TailBudget tails_;
  std::atomic<bool> dead_{false};
  std::atomic<bool> closed_{false};
  std::atomic<MonoTime::rep> last_checkpoint_{0};
  std::atomic<bool> checkpoint_wanted_{false};  // segments lack what the start found in the journal

  // The log thread's own.
  GroupEncoder group_;
  std::vector<Partition*> touched_;  // partitions with staged batches
  std::vector<ByteView> payload_;
  std::int64_t next_producer_ = 0;
  RetentionClock retention_clock_;
  bool sealed_ = true;  // the newest group says that the one before was acknowledged, or there is none
  struct LateGroup {    // seeded bug acknowledge_early
    GroupEncoder group;
    std::vector<SharedBytes> batches;
  };
  std::optional<LateGroup> late_;

  // The segment writer's own.
  io::BlockBuffer blocks_;
  std::vector<std::shared_ptr<Segment>> dirty_segments_;
  std::set<std::string> new_directories_;   // their small files are not synced yet
  std::vector<std::string> new_snapshots_;  // still with another suffix behind their names
  std::set<std::string> unsynced_names_;    // directories with names that are not durable yet
  bool topics_unsynced_ = false;
  std::unique_ptr<CompactionJob> compaction_;
  std::vector<Swap> swaps_;
  // The newest checkpoint still says ".swap" of them: nothing may be written under such a name, or a start would take
  // it for what the checkpoint means.
  std::set<PartitionId> renamed_;
  std::set<PartitionId> uncompactable_;  // damage was found there
  MonoTime next_compaction_{};
  MonoTime compaction_began_{};

  // Shared.
  mutable std::mutex mutex_;
  std::map<TopicPartition, PartitionPtr> table_;
  PartitionId next_partition_{1};
  std::int64_t producers_reserved_ = 0;  // ids below it may have been handed out
  struct Waiting {
    MonoTime since{};
    PartitionPtr partition;
  };
  std::deque<Waiting> waiting_;        // have batches for the segment writer; the longest waiting come first
  std::deque<PartitionPtr> pieces_;    // of these, those with a whole piece
  std::vector<PartitionPtr> removed_;  // deleted; their directories wait to be renamed
  std::vector<std::shared_ptr<Segment>> doomed_segments_;  // below their log start; to be unlinked
  struct DoomedTree {
    std::string path;
    MonoTime not_before{};
    PartitionPtr partition;  // null: nobody knows it any more
  };
  std::vector<DoomedTree> doomed_trees_;  // of deleted partitions
};

}  // namespace millrace::storage
