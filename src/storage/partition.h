// Partition: one partition inside the log: newest batches in memory (the tail), older ones in segments, producer state,
// waiters.
//
//   log start ≤ ... segments ... [tail: written | waiting] = high watermark ≤ staged (this commit, nobody sees it)
//
// Invariant: what readers can reach is synced in the journal or in a synced segment. The tail is contiguous up to the
// high watermark; a batch leaves it only when a segment holds it. Thread: stage, publish, unstage, remove, trim: the
// log thread. waiting, written, make_directory: the segment writer. The PartitionLog half: any. One short mutex, never
// held over I/O.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "storage/checkpoint_file.h"
#include "storage/partition_log.h"
#include "storage/segment.h"
#include "storage/waiters.h"

namespace millrace::storage {

/// A segment as its users share it: the files, and what of them counts.
struct SegmentRef {
  std::shared_ptr<Segment> files;
  SegmentState state;
};

class Partition final : public PartitionLog, public std::enable_shared_from_this<Partition> {
 public:
  /// `open_files` is for its segments.
  Partition(io::FileSystem& files, std::shared_ptr<OpenFiles> open_files, PartitionId id, PartitionSpec spec,
            Offset start);
  /// As a checkpoint describes it; the files are not touched.
  Partition(io::FileSystem& files, std::shared_ptr<OpenFiles> open_files, PartitionCheckpoint&& checkpoint);

  // PartitionLog
  [[nodiscard]] const TopicPartition& name() const override { return name_; }
  [[nodiscard]] Offset log_start() const override { return Offset(log_start_.load(std::memory_order_acquire)); }
  [[nodiscard]] Offset high_watermark() const override {
    return Offset(high_watermark_.load(std::memory_order_acquire));
  }
  [[nodiscard]] bool deleted() const override { return deleted_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t size_bytes() const override;
  Result<ReadResult> read(Offset from, std::size_t max_bytes) override { return read_at(from, max_bytes, false); }
  Result<std::optional<ReadResult>> read_memory(Offset from, std::size_t max_bytes) override;
  Result<ReadResult> read_file(Offset from, std::size_t max_bytes) override { return read_at(from, max_bytes, true); }
  Result<std::optional<TimestampedOffset>> find_timestamp(std::int64_t timestamp_ms) override;
  Result<std::optional<TimestampedOffset>> find_max_timestamp() override;
  [[nodiscard]] std::vector<ProducerState> producers() const override;
  void when_beyond(Offset beyond, Executor& executor, Task task) override;
  void cancel_waits(Executor& executor) override;

  [[nodiscard]] PartitionId id() const { return id_; }
  [[nodiscard]] PartitionSpec spec() const;
  [[nodiscard]] LogConfig config() const;
  [[nodiscard]] std::string directory() const { return "topics/" + name_.to_string(); }

  // Log thread: one commit.
  /// Judges, patches and takes a batch into the commit being built. The batch is not visible before publish().
  Result<Appended> stage(SharedBytes& batch, std::int64_t now_ms);
  [[nodiscard]] std::span<const StoredBatch> staged() const { return staged_; }
  void unstage();
  /// What publish() changed for the segment writer.
  struct Published {
    bool first = false;  // nothing waited for it before
    bool piece = false;  // now a whole piece does, and did not before
  };
  /// Makes what was staged visible and wakes waiters.
  Published publish(MonoTime now, std::uint64_t piece_bytes);
  void configure(const LogConfig& config, std::string properties);
  void mark_deleted();
  /// Moves the log start; segments that lie wholly below it are taken out and returned for unlinking.
  std::vector<SegmentRef> trim(Offset log_start);
  /// Where the log start would be after retention by time and size; log_start() when nothing is to go.
  [[nodiscard]] Offset retention_start(std::int64_t now_ms) const;
  /// The oldest segment, when the topic's policy lets it go for want of room and it is not the newest too.
  [[nodiscard]] std::optional<SegmentState> oldest_to_give_up() const;
  void expire_producers(std::int64_t now_ms, std::int64_t age_ms);

  // Recovery (open(), alone).
  /// Takes a batch of the journal; malformed when it does not continue the partition.
  Result<void> replay(StoredBatch batch, const BatchHeader& header, std::int64_t wall_ms, MonoTime now);
  void forget_producers() { producers_ = {}; }
  [[nodiscard]] std::vector<SegmentRef> segments() const;

  // Segment writer.
  struct Waiting {
    std::uint64_t bytes = 0;
    MonoTime since{};
  };
  [[nodiscard]] Waiting waiting() const;
  [[nodiscard]] Offset written() const;
  /// Up to about `max_bytes` of waiting batches below `limit`, at least two when there are: what the second lends fills
  /// the last block of the first (Segment::append).
  [[nodiscard]] std::vector<StoredBatch> piece(std::size_t max_bytes, Offset limit) const;
  /// The segment that the writer appends to, if there is one.
  [[nodiscard]] std::optional<SegmentRef> active() const;
  /// The same, to be appended to now: until advance(), trim() leaves it alone, because what is being written may lie
  /// above the new log start.
  [[nodiscard]] std::optional<SegmentRef> hold_active();
  void begin_segment(SegmentRef segment);
  /// `count` batches of the tail now stand in the active segment, whose state is `state`.
  void advance(const SegmentState& state, std::size_t count, MonoTime now);
  /// The active segment takes no more.
  void seal(const SegmentState& state);
  /// Puts `merged` in the place of `sources`, which follow each other. False when not all of them are there any more
  /// (a trim took some), or when the last of them is the newest segment: then nothing changed.
  [[nodiscard]] bool replace(std::span<const SegmentRef> sources, const SegmentRef& merged);
  /// The state of a segment that is still there: false when it is not.
  [[nodiscard]] bool restate(const SegmentState& state, const std::shared_ptr<Segment>& files);
  /// The last offset of every producer that is known.
  [[nodiscard]] std::unordered_map<ProducerId, Offset> producer_ends() const;
  /// What a checkpoint says of this partition when segments hold everything below `next`; its segments are missing.
  [[nodiscard]] PartitionCheckpoint checkpoint() const;
  /// Grows with every change that a checkpoint would show.
  [[nodiscard]] std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

  /// The segment writer's own.
  struct WriterState {
    bool directory_made = false;
    ProducerTable producers;  // as of written()
    Offset snapshot_at{-1};   // the directory has the producers' state of this offset for Kafka's tools, and no other
    /// What the newest checkpoint says of the partition, which is still true while changes() is `encoded_at`.
    EncodedPartition encoded;
    std::uint64_t encoded_at = kNotEncoded;
  };
  static constexpr std::uint64_t kNotEncoded = ~std::uint64_t{0};
  WriterState writer;
  bool listed_as_waiting = false;  // guarded by the log's mutex

  /// Drops the oldest batch of the tail if a segment holds it. For the budget of all partitions.
  [[nodiscard]] std::optional<StoredBatch> evict_oldest();

 private:
  /// What a read comes to without the disk: the result, or the segment to look into. Under the mutex.
  struct Place {
    ReadResult result;
    SegmentRef segment;   // without files: not needed
    bool records = true;  // false: all that was found are batches without records ...
    Offset next;          // ... up to here
  };
  [[nodiscard]] Result<Place> look_up(Offset from, std::size_t max_bytes) const;
  Result<ReadResult> read_at(Offset from, std::size_t max_bytes, bool as_file);
  Result<Place> read_place(Offset from, std::size_t max_bytes, bool as_file);
  Result<Place> read_once(Offset from, std::size_t max_bytes, bool as_file);
  ReadResult read_on(Place place, std::size_t max_bytes);
  Result<ReadResult> read_tail(Offset from, std::size_t max_bytes) const;
  Result<std::optional<TimestampedOffset>> find_timestamp_once(std::int64_t timestamp_ms);
  [[nodiscard]] const ProducerEntry* staged_producer(ProducerId id) const;

  io::FileSystem& files_;
  const std::shared_ptr<OpenFiles> open_files_;
  const PartitionId id_;
  const TopicPartition name_;
  std::atomic<std::int64_t> log_start_;
  std::atomic<std::int64_t> high_watermark_;
  std::atomic<bool> deleted_{false};
  std::atomic<std::uint64_t> changes_{0};  // grows under mutex_
  Waiters waiters_;

  mutable std::mutex mutex_;  // guards what follows
  PartitionSpec spec_;
  std::deque<StoredBatch> tail_;
  std::size_t written_in_tail_ = 0;  // the first so many batches of the tail stand in segments too
  std::uint64_t waiting_bytes_ = 0;
  MonoTime waiting_since_{};
  std::vector<SegmentRef> segments_;
  bool active_open_ = false;  // the last segment takes appends
  bool active_held_ = false;  // the writer is appending to it
  ProducerTable producers_;

  // The log thread's own: the commit being built.
  LogConfig commit_config_;
  Offset next_;
  std::vector<StoredBatch> staged_;
  std::vector<std::pair<ProducerId, ProducerEntry>> staged_producers_;
  std::uint64_t staged_bytes_ = 0;
};

}  // namespace millrace::storage
