// DiskLog::checkpoint(): what changed is written, synced and named. Thread: the segment writer (and open/close, alone).
#include <algorithm>

#include "storage/disk_log.h"
#include "storage/durable_file.h"
#include "storage/partition_directory.h"

namespace millrace::storage {
namespace {

// A checkpoint is not worth its writes while a partition has but a part of a piece for it.
constexpr std::uint64_t kPartOfPiece = 8;
constexpr std::size_t kPiecesTogether = 32;  // of as many partitions, in memory of their own until they are written

}  // namespace

// With many partitions the pieces of a checkpoint get small: then it may wait for more, as far as the journal has room.
std::uint64_t DiskLog::worth_a_checkpoint() const {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t worth_it = waiting_.size() * (options_.write_piece_bytes / kPartOfPiece);
  return std::min(worth_it, options_.journal_max_bytes / 2);
}

std::uint64_t DiskLog::checkpoint_bytes() const {
  return std::max(options_.checkpoint_bytes, worth_a_checkpoint());
}

bool DiskLog::checkpoint_due() const {
  if (checkpoint_wanted_.load(std::memory_order_relaxed)) return true;
  const std::uint64_t bytes = journal_.bytes_since_release();
  if (bytes == 0 && swaps_.empty() && renamed_.empty()) return false;
  const MonoTime since = clock_.mono() - MonoTime(last_checkpoint_.load());
  return bytes >= checkpoint_bytes() || journal_.nearly_full() || since >= options_.checkpoint_interval;
}

Result<void> DiskLog::checkpoint() {
  MR_TRY(usable());
  auto written = write_checkpoint(false);
  if (!written && written.error().code != ErrorCode::disk_full) return died(written.error());
  return written;
}

// A checkpoint may take longer than the files that are ready last; the log thread must not have to make one itself.
Result<void> DiskLog::keep_journal_ready() {
  MR_TRY(journal_.prepare());
  return {};
}

// One by one as long as they are few: then the journal is kept going in between, and nobody else's writes are waited
// for. Thousands of files are one call, or each of them would make the file system commit its own journal.
Result<void> DiskLog::sync_segments() {
  const std::size_t names = new_directories_.size() + unsynced_names_.size() + new_snapshots_.size();
  bool all_at_once = dirty_segments_.size() + names > options_.sync_one_by_one;
  if (!all_at_once) {
    // All begin before the first is waited for: the file system's own journal is then committed once, not once per
    // file, and each of its commits can hold up the journal's writes.
    for (const auto& segment : dirty_segments_) MR_TRY(segment->begin_sync());
    for (const auto& segment : dirty_segments_) {
      const MonoTime started = clock_.mono();
      MR_TRY_ASSIGN(const bool synced, segment->sync());
      all_at_once = all_at_once || !synced;
      metrics_.segment_sync_seconds.observe(clock_.mono() - started);
      MR_TRY(keep_journal_ready());
    }
    for (const std::string& directory : new_directories_) MR_TRY(sync_partition_directory(files_, directory));
    for (const std::string& path : new_snapshots_) MR_TRY(sync_if_there(files_, path + std::string(kTemporarySuffix)));
    for (const std::string& directory : unsynced_names_) {
      if (files_.exists(directory)) MR_TRY(sync_names(files_, directory, options_.bugs));
    }
    if (topics_unsynced_) MR_TRY(sync_names(files_, "topics", options_.bugs));
  }
  if (all_at_once) {
    const MonoTime started = clock_.mono();
    MR_TRY(sync_everything(files_));
    metrics_.segment_sync_seconds.observe(clock_.mono() - started);
  }
  for (const auto& segment : dirty_segments_) {
    segment->synced();
    segment->listed_as_dirty = false;
    if (segment->sealed()) segment->close_files();
  }
  dirty_segments_.clear();
  new_directories_.clear();
  unsynced_names_.clear();
  topics_unsynced_ = false;
  return {};
}

// What changed since the checkpoint before is written and described anew; of the others nothing is looked at.
Result<void> DiskLog::write_checkpoint(bool clean) {
  const MonoTime started = clock_.mono();
  const Journal::Published mark = journal_.published();
  CheckpointHead head;
  head.clean = clean;
  head.replay_from = mark.position;
  std::vector<PartitionPtr> partitions;
  {
    const std::scoped_lock lock(mutex_);
    head.next_partition = next_partition_;
    head.next_producer = ProducerId(producers_reserved_);
    partitions.reserve(table_.size());
    for (const auto& [name, partition] : table_) partitions.push_back(partition);
  }
  MR_TRY(rename_removed());
  std::vector<Unwritten> changed;
  for (const PartitionPtr& partition : partitions) {
    const std::uint64_t changes = partition->changes();
    const bool known = partition->writer.encoded_at != Partition::kNotEncoded;
    if (changes == partition->writer.encoded_at || (known && options_.bugs.checkpoint_overlooks_change)) continue;
    changed.push_back({partition, partition->checkpoint(), changes});
  }

  if (options_.bugs.reuse_journal_early) journal_.release_before(mark);
  MR_TRY(write_changed(changed));
  if (clean) {
    for (const PartitionPtr& partition : partitions) MR_TRY(settle_for_stop(*partition));
  }
  tails_.evict();
  if (!options_.bugs.checkpoint_before_sync) MR_TRY(sync_segments());
  MR_TRY(name_snapshots());
  if (clean) MR_TRY(sync_segments());  // the names
  if (clean) head.next_generation = journal_.next_generation();
  std::vector<const EncodedPartition*> encoded;
  encoded.reserve(partitions.size());
  for (const PartitionPtr& partition : partitions) encoded.push_back(&partition->writer.encoded);
  MR_TRY(replace_durably(files_, kCheckpointPath, encode_checkpoint(head, encoded).view(), options_.bugs));
  journal_.release_before(mark);
  renamed_.clear();
  MR_TRY(settle_swaps());
  const MonoTime now = clock_.mono();
  last_checkpoint_ = now.count();
  checkpoint_wanted_ = false;
  metrics_.checkpoints.add();
  metrics_.checkpoint_seconds.observe(now - started);
  show_sizes();
  return {};
}

// Few of them piece by piece; of thousands the pieces are small, and one after the other would wait for the disk.
Result<void> DiskLog::write_changed(std::vector<Unwritten>& changed) {
  const auto unwritten = [](const Unwritten& one) {
    return one.partition->written() < one.state.next && !one.partition->deleted();
  };
  if (changed.size() > options_.sync_one_by_one) {
    std::vector<io::BlockBuffer> blocks(kPiecesTogether);
    std::vector<Unwritten*> left;
    for (Unwritten& one : changed) {
      if (unwritten(one)) left.push_back(&one);
    }
    while (!left.empty()) {
      for (std::size_t at = 0; at < left.size(); at += kPiecesTogether) {
        MR_TRY(write_together(std::span(left).subspan(at, std::min(kPiecesTogether, left.size() - at)), blocks));
        MR_TRY(keep_journal_ready());
      }
      std::erase_if(left, [&](const Unwritten* one) { return !unwritten(*one); });
    }
  }
  for (Unwritten& one : changed) {
    while (unwritten(one)) {
      MR_TRY_ASSIGN(const bool wrote, write_piece(one.partition, one.state.next));
      one.wrote = one.wrote || wrote;
      MR_TRY(keep_journal_ready());
    }
    describe(one);
  }
  return {};
}

void DiskLog::describe(Unwritten& changed) {
  Partition& partition = *changed.partition;
  for (const SegmentRef& segment : partition.segments()) changed.state.segments.push_back(segment.state);
  partition.writer.encoded = encode_partition(changed.state);
  // What was written just now is a change, too: the next checkpoint looks once more.
  partition.writer.encoded_at = changed.wrote ? changed.changes - 1 : changed.changes;
}

// Files as Apache Kafka leaves them behind after a clean stop: no reserved blocks, a producer snapshot at the end.
Result<void> DiskLog::settle_for_stop(Partition& partition) {
  if (const auto active = partition.active()) {
    MR_TRY(active->files->trim(active->state));
    if (active->files->dirty()) note_dirty(active->files);
  }
  if (!partition.writer.directory_made || partition.writer.snapshot_at == partition.written()) return {};
  MR_TRY_ASSIGN(const auto names, files_.list(partition.directory()));
  const std::string current = segment_file_name(partition.written(), ".snapshot");
  for (const std::string& name : names) {
    const auto parsed = parse_segment_file_name(name);
    // Those where a segment begins stay with it.
    const bool begins = parsed && std::ranges::any_of(partition.segments(), [&](const SegmentRef& segment) {
                          return segment.state.base == parsed->base;
                        });
    if (parsed && parsed->extension == ".snapshot" && name != current && !begins) {
      MR_TRY(files_.remove_file(partition.directory() + '/' + name));
    }
  }
  partition.writer.snapshot_at = partition.written();
  const ProducerTable producers = partition.checkpoint().producers;
  if (producers.empty()) return {};
  return write_snapshot(partition, partition.written(), producers);
}

// Under another name until its content is synced.
Result<void> DiskLog::write_snapshot(const Partition& partition, Offset at, const ProducerTable& producers) {
  const std::string path = partition.directory() + '/' + segment_file_name(at, ".snapshot");
  MR_TRY(write_unsynced(files_, path + std::string(kTemporarySuffix), producers.kafka_snapshot().view()));
  new_snapshots_.push_back(path);
  return {};
}

Result<void> DiskLog::name_snapshots() {
  for (const std::string& path : std::exchange(new_snapshots_, {})) {
    MR_TRY(files_.rename(path + std::string(kTemporarySuffix), path));
    unsynced_names_.insert(std::string(parent_of(path)));
  }
  return {};
}

}  // namespace millrace::storage
