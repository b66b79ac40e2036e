// Segments behind the journal: DiskLog::write_behind() and checkpoint(). Thread: the segment writer (and open/close,
// alone).
#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>

#include "base/log.h"
#include "storage/disk_log.h"
#include "storage/durable_file.h"
#include "storage/partition_directory.h"

namespace millrace::storage {
namespace {

// A batch waits at most this long for company before it is written to its segment, so that files can be read from
// outside.
constexpr MonoTime kMaxWait = std::chrono::seconds(1);

// segment.jitter.ms takes a part of it, always the same of one segment; what must be compacted must be closed before.
std::int64_t roll_after_ms(const LogConfig& config, Offset base) {
  std::int64_t after = config.segment_ms;
  if (config.compact) after = std::min(after, config.max_compaction_lag_ms);
  const std::int64_t jitter = std::min(config.segment_jitter_ms, after);
  if (jitter > 0) {
    const std::uint64_t spread = static_cast<std::uint64_t>(base.value() + 1) * 0x9E3779B97F4A7C15ULL;
    after -= static_cast<std::int64_t>((spread >> 1U) % static_cast<std::uint64_t>(jitter));
  }
  return after;
}

bool must_roll(const SegmentState& state, const StoredBatch& next, const LogConfig& config, std::int64_t now_ms) {
  if (state.size == 0) return false;
  const std::uint64_t index_limit =
      std::min<std::uint64_t>(kMaxIndexBytes, static_cast<std::uint64_t>(config.segment_index_bytes));
  return state.size + next.bytes.size() > static_cast<std::uint64_t>(config.segment_bytes) ||
         now_ms - state.created_ms > roll_after_ms(config, state.base) ||
         (std::uint64_t{state.index_entries} + 1) * kIndexEntryBytes > index_limit ||
         (std::uint64_t{state.time_entries} + 2) * kTimeEntryBytes > index_limit ||
         next.last - state.base > std::numeric_limits<std::int32_t>::max();
}

}  // namespace

// False when the partition was deleted meanwhile: its name, and so its directory, may be another's already.
Result<bool> DiskLog::ensure_directory(Partition& partition) {
  if (partition.directory_made) return true;
  // A deleted partition of the same name may still own the directory.
  MR_TRY(rename_removed());
  if (partition.deleted()) return false;
  MR_TRY(make_partition_directory(files_, partition.directory(), partition.spec().topic_id));
  partition.directory_made = true;
  topics_unsynced_ = true;
  new_directories_.push_back(partition.directory());
  return true;
}

Result<void> DiskLog::seal_active(Partition& partition, const SegmentRef& active) {
  MR_TRY_ASSIGN(const SegmentState sealed, active.files->seal(active.state));
  note_dirty(active.files);
  partition.seal(sealed);
  return {};
}

void DiskLog::note_dirty(const std::shared_ptr<Segment>& segment) {
  if (std::ranges::find(dirty_segments_, segment) == dirty_segments_.end()) dirty_segments_.push_back(segment);
}

Result<bool> DiskLog::write_piece(Partition& partition, Offset limit) {
  const std::vector<StoredBatch> batches = partition.piece(options_.write_piece_bytes, limit);
  if (batches.empty()) return false;
  const LogConfig config = partition.config();
  const std::int64_t now_ms = clock_.wall().count();
  MR_TRY_ASSIGN(const bool there, ensure_directory(partition));
  if (!there) return false;
  std::optional<SegmentRef> active = partition.hold_active();
  if (active && must_roll(active->state, batches.front(), config, now_ms)) {
    MR_TRY(seal_active(partition, *active));
    active.reset();
  }
  if (!active) {
    const Offset base = batches.front().base;
    active = SegmentRef{std::make_shared<Segment>(files_, partition.directory(), base), {}};
    active->state.base = base;
    active->state.next = base;
    unsynced_names_.insert(partition.directory());
    partition.begin_segment(*active);
  }
  // As many batches as the segment takes; the rest rolls with the next piece.
  std::size_t count = 1;
  SegmentState filled = active->state;
  filled.size += batches[0].bytes.size();
  while (count < batches.size() && !must_roll(filled, batches[count], config, filled.created_ms)) {
    filled.size += batches[count].bytes.size();
    filled.index_entries += 1;  // at most one entry per batch
    filled.time_entries += 1;
    ++count;
  }
  note_dirty(active->files);
  const Segment::AppendRules rules{.index_interval = config.index_interval_bytes,
                                   .segment_limit = static_cast<std::uint64_t>(config.segment_bytes),
                                   .now_ms = now_ms,
                                   .direct_bytes = options_.direct_write_bytes,
                                   .all = count < batches.size() || batches.back().last + 1 >= limit};
  const MonoTime started = clock_.mono();
  MR_TRY_ASSIGN(const Segment::Appended appended,
                active->files->append(active->state, std::span(batches).first(count), rules, blocks_));
  const MonoTime now = clock_.mono();
  partition.advance(appended.state, appended.batches, now);
  metrics_.segment_bytes.add(appended.state.size - active->state.size);
  metrics_.segment_write_seconds.observe(now - started);
  return true;
}

// Goes around those that wait and takes the first that is due, so that a step costs little however many there are: who
// was written goes to the end, and the longest waiting come first.
DiskLog::PartitionPtr DiskLog::choose_partition() {
  const PartitionPtr in_the_way = tails_.holding_back();
  const bool short_of_memory = in_the_way && in_the_way->waiting().bytes > 0 && !in_the_way->deleted();
  const MonoTime now = clock_.mono();
  const std::scoped_lock lock(mutex_);
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    const PartitionPtr partition = std::move(waiting_.front());
    waiting_.pop_front();
    const Partition::Waiting waiting = partition->waiting();
    if (waiting.bytes == 0 || partition->deleted()) {
      partition->listed_as_waiting = false;
      continue;
    }
    waiting_.push_back(partition);
    const bool aged = !short_of_memory && now - waiting.since >= kMaxWait;
    if (waiting.bytes >= options_.write_piece_bytes || aged) return partition;
  }
  return short_of_memory ? in_the_way : nullptr;
}

void DiskLog::show_sizes() {
  metrics_.journal_bytes.set(static_cast<std::int64_t>(journal_.total_bytes()));
  metrics_.journal_live_bytes.set(static_cast<std::int64_t>(journal_.bytes_since_release()));
  metrics_.tail_bytes.set(static_cast<std::int64_t>(tails_.bytes()));
}

Result<bool> DiskLog::write_behind() {
  MR_TRY(usable());
  show_sizes();
  const auto step = [&]() -> Result<bool> {
    MR_TRY_ASSIGN(const bool prepared, journal_.prepare());
    if (const PartitionPtr partition = choose_partition()) {
      MR_TRY_ASSIGN(const bool wrote, write_piece(*partition, partition->high_watermark()));
      tails_.evict();
      return wrote || prepared;
    }
    if (prepared) return true;
    return unlink_some(clock_.mono());
  };
  auto done = step();
  if (!done && done.error().code == ErrorCode::disk_full) {
    // What is to go anyway goes now, file.delete.delay.ms or not.
    const auto unlinked = unlink_some(MonoTime::max());
    if (!unlinked && unlinked.error().code != ErrorCode::disk_full) return died(unlinked.error());
    if (unlinked && *unlinked) return true;
  }
  if (!done && done.error().code != ErrorCode::disk_full) return died(done.error());
  return done;
}

bool DiskLog::checkpoint_due() const {
  if (checkpoint_wanted_.load(std::memory_order_relaxed)) return true;
  const std::uint64_t bytes = journal_.bytes_since_release();
  if (bytes == 0 && swaps_.empty() && renamed_.empty()) return false;
  const MonoTime since = clock_.mono() - MonoTime(last_checkpoint_.load());
  return bytes >= options_.checkpoint_bytes || journal_.nearly_full() || since >= options_.checkpoint_interval;
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

Result<void> DiskLog::sync_segments() {
  // All begin before the first is waited for: the file system's own journal is then committed once, not once per file,
  // and each of its commits can hold up the journal's writes.
  for (const auto& segment : dirty_segments_) MR_TRY(segment->begin_sync());
  for (const auto& segment : dirty_segments_) {
    const MonoTime started = clock_.mono();
    MR_TRY(segment->sync());
    metrics_.segment_sync_seconds.observe(clock_.mono() - started);
    MR_TRY(keep_journal_ready());
  }
  for (const std::string& directory : new_directories_) MR_TRY(sync_partition_directory(files_, directory));
  for (const std::string& directory : unsynced_names_) {
    if (files_.exists(directory)) MR_TRY(sync_names(files_, directory, options_.bugs));
  }
  if (topics_unsynced_) MR_TRY(sync_names(files_, "topics", options_.bugs));
  dirty_segments_.clear();
  new_directories_.clear();
  unsynced_names_.clear();
  topics_unsynced_ = false;
  return {};
}

Result<void> DiskLog::write_checkpoint(bool clean) {
  const MonoTime started = clock_.mono();
  const Journal::Published mark = journal_.published();
  Checkpoint checkpoint;
  checkpoint.clean = clean;
  checkpoint.replay_from = mark.position;
  std::vector<PartitionPtr> partitions;
  {
    const std::scoped_lock lock(mutex_);
    checkpoint.next_partition = next_partition_;
    checkpoint.next_producer = ProducerId(producers_reserved_);
    partitions.reserve(table_.size());
    for (const auto& [name, partition] : table_) partitions.push_back(partition);
  }
  MR_TRY(rename_removed());
  checkpoint.partitions.reserve(partitions.size());
  for (const PartitionPtr& partition : partitions) checkpoint.partitions.push_back(partition->checkpoint());

  if (options_.bugs.reuse_journal_early) journal_.release_before(mark);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    Partition& partition = *partitions[i];
    const Offset limit = checkpoint.partitions[i].next;
    while (partition.written() < limit && !partition.deleted()) {
      MR_TRY(write_piece(partition, limit));
      MR_TRY(keep_journal_ready());
    }
    if (clean) MR_TRY(settle_for_stop(partition, checkpoint.partitions[i].producers));
    for (const SegmentRef& segment : partition.segments()) checkpoint.partitions[i].segments.push_back(segment.state);
  }
  tails_.evict();
  if (!options_.bugs.checkpoint_before_sync) MR_TRY(sync_segments());
  MR_TRY(replace_durably(files_, kCheckpointPath, encode_checkpoint(checkpoint).view(), options_.bugs));
  journal_.release_before(mark);
  renamed_.clear();
  MR_TRY(settle_swaps());
  // File descriptors are bounded by what is used between two checkpoints, not by how many segments there are.
  for (const PartitionPtr& partition : partitions) {
    for (const SegmentRef& segment : partition->segments()) segment.files->close_files();
  }
  const MonoTime now = clock_.mono();
  last_checkpoint_ = now.count();
  checkpoint_wanted_ = false;
  metrics_.checkpoints.add();
  metrics_.checkpoint_seconds.observe(now - started);
  show_sizes();
  return {};
}

// Files as Apache Kafka leaves them behind after a clean stop: no reserved blocks, a producer snapshot at the end.
Result<void> DiskLog::settle_for_stop(Partition& partition, const ProducerTable& producers) {
  if (const auto active = partition.active()) {
    MR_TRY(active->files->trim(active->state));
    if (active->files->dirty()) note_dirty(active->files);
  }
  if (!partition.directory_made) return {};
  MR_TRY_ASSIGN(const auto names, files_.list(partition.directory()));
  const std::string current = segment_file_name(partition.written(), ".snapshot");
  for (const std::string& name : names) {
    const auto parsed = parse_segment_file_name(name);
    if (parsed && parsed->extension == ".snapshot" && name != current) {
      MR_TRY(files_.remove_file(partition.directory() + '/' + name));
    }
  }
  if (producers.empty()) return {};
  return replace_durably(files_, partition.directory() + '/' + current, producers.kafka_snapshot().view(),
                         options_.bugs);
}

// Deleted partitions: the directory gets a name that says so, which frees the old one for a new partition. What a full
// disk does not let through stays on the list.
Result<void> DiskLog::rename_removed() {
  while (true) {
    PartitionPtr partition;
    {
      const std::scoped_lock lock(mutex_);
      if (removed_.empty()) return {};
      partition = removed_.front();
    }
    // Its files are meant by their old path: after the rename that path belongs to a new partition of the same name.
    const std::string directory = partition->directory();
    std::optional<DoomedTree> tree;
    if (files_.exists(directory)) {  // directory_made says too little: making it may have failed in the middle
      const auto inside = [&](const std::shared_ptr<Segment>& segment) { return segment->directory() == directory; };
      std::erase_if(dirty_segments_, inside);
      std::erase(new_directories_, directory);
      unsynced_names_.erase(directory);
      {
        const std::scoped_lock lock(mutex_);
        std::erase_if(doomed_segments_, inside);
      }
      MR_TRY_ASSIGN(const std::string path, set_aside(files_, directory));
      topics_unsynced_ = true;
      const auto delay = std::max<std::int64_t>(0, partition->config().file_delete_delay_ms);
      tree = DoomedTree{path, clock_.mono() + std::chrono::milliseconds(delay), partition};
    }
    const std::scoped_lock lock(mutex_);
    removed_.erase(removed_.begin());
    if (tree) doomed_trees_.push_back(std::move(*tree));
  }
}

// What was due by `time`.
Result<bool> DiskLog::unlink_some(MonoTime time) {
  MR_TRY(rename_removed());
  std::vector<std::shared_ptr<Segment>> segments;
  std::vector<DoomedTree> trees;
  {
    const std::scoped_lock lock(mutex_);
    segments = doomed_segments_;
    std::ranges::copy_if(doomed_trees_, std::back_inserter(trees),
                         [&](const DoomedTree& tree) { return tree.not_before <= time; });
  }
  for (const auto& segment : segments) {
    std::erase(dirty_segments_, segment);
    MR_TRY(segment->unlink());
    metrics_.deleted_segments.add();
    const std::scoped_lock lock(mutex_);
    std::erase(doomed_segments_, segment);
  }
  for (const DoomedTree& tree : trees) {
    if (files_.exists(tree.path)) MR_TRY(files_.remove_tree(tree.path));
    // Whoever still has the partition must not keep its blocks.
    if (tree.partition) {
      for (const SegmentRef& segment : tree.partition->segments()) segment.files->abandon_files();
    }
    const std::scoped_lock lock(mutex_);
    std::erase_if(doomed_trees_, [&](const DoomedTree& other) { return other.path == tree.path; });
  }
  return !segments.empty() || !trees.empty();
}

}  // namespace millrace::storage
