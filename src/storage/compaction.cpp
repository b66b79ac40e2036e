// Compaction of DiskLog: chooses a partition, runs its job step by step, and settles what was compacted. Thread: the
// segment writer (and close, alone).
//
// A merged segment passes through three places, and each is recoverable on its own:
//   1. written and synced as "<base>.log.swap" …; the checkpoint knows the old segments.  A start removes the new
//   files.
//   2. a checkpoint names it with the swap flag.             A start renames what is left to rename, removes the old.
//   3. the old files are gone and the new ones have their names, which are durable before a checkpoint drops the flag.
//   Only
//      then may the partition be compacted again: until then a start would take what it finds under ".swap".
// Readers go on with the old segment's open files, or are told to look again.
#include <algorithm>

#include "base/log.h"
#include "storage/disk_log.h"
#include "storage/durable_file.h"

namespace millrace::storage {

bool DiskLog::begin_compaction() {
  const MonoTime now = clock_.mono();
  if (now < next_compaction_) return false;
  std::vector<PartitionPtr> partitions;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, partition] : table_) partitions.push_back(partition);
  }
  const std::int64_t now_ms = clock_.wall().count();
  PartitionPtr chosen;
  CompactionPlan best;
  for (const PartitionPtr& partition : partitions) {
    const LogConfig config = partition->config();
    const PartitionId id = partition->id();
    if (!config.compact || uncompactable_.contains(id)) continue;
    if (renamed_.contains(id) && !options_.bugs.compaction_reuses_name) continue;
    auto plan = plan_compaction(partition->segments(), config, now_ms);
    if (!plan || (chosen && plan->dirty_ratio <= best.dirty_ratio)) continue;
    chosen = partition;
    best = std::move(*plan);
  }
  if (!chosen) {
    next_compaction_ = now + options_.compaction_interval;
    return false;
  }
  const CompactionLimits limits{.memory_bytes = options_.compaction_memory_bytes,
                                .step_bytes = options_.write_piece_bytes,
                                .direct_write_bytes = options_.direct_write_bytes,
                                .seed = format_.salt,
                                .bugs = options_.bugs};
  compaction_ = std::make_unique<CompactionJob>(files_, open_files_, chosen, std::move(best), limits, now_ms);
  compaction_began_ = now;
  return true;
}

Result<void> DiskLog::abandon_compaction() {
  const auto job = std::exchange(compaction_, nullptr);
  next_compaction_ = clock_.mono() + options_.compaction_interval;
  // A deleted partition's files go with its directory, whose name may be another's already.
  if (!job || job->partition()->deleted()) return {};
  return job->discard();
}

// An I/O error is final; everything else ends the job and leaves the partition as it was.
Result<bool> DiskLog::compaction_failed(const Error& error) {
  const TopicPartition name = compaction_->partition()->name();
  if (error.code == ErrorCode::io_error) return died(error);
  if (error.code == ErrorCode::corrupt) {
    log::error("compaction_refused", {{"partition", name.to_string()},
                                      {"effect", "the partition is not compacted until the next start"},
                                      {"reason", error.message()}});
    uncompactable_.insert(compaction_->partition()->id());
    metrics_.uncompactable.set(static_cast<std::int64_t>(uncompactable_.size()));
  }
  if (auto discarded = abandon_compaction(); !discarded && discarded.error().code != ErrorCode::disk_full) {
    return died(discarded.error());
  }
  return false;
}

// True when the job has read more than its share of the time since it began.
bool DiskLog::compaction_is_ahead() const {
  if (options_.compaction_bytes_per_second == 0) return false;
  const std::chrono::duration<double> spent = clock_.mono() - compaction_began_;
  const double allowed = spent.count() * static_cast<double>(options_.compaction_bytes_per_second);
  return static_cast<double>(compaction_->counts().bytes_read) > allowed;
}

Result<bool> DiskLog::compact() {
  MR_TRY(usable());
  if (!compaction_ && !begin_compaction()) return false;
  if (compaction_->partition()->deleted()) {
    compaction_.reset();
    return true;
  }
  if (compaction_is_ahead()) return false;
  const auto state = compaction_->step();
  if (!state) return compaction_failed(state.error());
  if (*state == CompactionJob::State::working) return true;
  if (*state == CompactionJob::State::finished) {
    const CompactionCounts& counts = compaction_->counts();
    metrics_.compactions.add();
    metrics_.compaction_read_bytes.add(counts.bytes_read);
    metrics_.compaction_freed_bytes.add(counts.bytes_before - std::min(counts.bytes_before, counts.bytes_after));
    metrics_.compaction_dropped_records.add(counts.records_dropped);
    compaction_.reset();
    return true;
  }
  CompactionJob::Group group = compaction_->take_group();
  const PartitionPtr partition = compaction_->partition();
  if (!partition->replace(group.sources, group.merged)) {
    // A trim came between. Groups must be taken in order, or a tombstone could go before what it deleted.
    MR_TRY_ASSIGN(const bool ended, end_unplaced(group));
    return ended;
  }
  swaps_.push_back({partition, std::move(group)});
  if (options_.bugs.compaction_swaps_early) MR_TRY(settle_swaps());
  return true;
}

Result<bool> DiskLog::end_unplaced(const CompactionJob::Group& group) {
  const bool deleted = compaction_->partition()->deleted();
  compaction_.reset();
  if (deleted) return true;
  if (auto removed = group.merged.files->unlink(); !removed) return died(removed.error());
  return true;
}

// After a checkpoint that names the merged segments: the old files go, the new ones get their names.
Result<void> DiskLog::settle_swaps() {
  for (Swap& swap : std::exchange(swaps_, {})) {
    SegmentRef& merged = swap.group.merged;
    for (const SegmentRef& source : swap.group.sources) {
      source.files->retire();
      std::erase(dirty_segments_, source.files);
    }
    if (swap.partition->deleted()) continue;  // its files go with its directory
    SegmentState named = merged.state;
    named.swap = false;
    const bool there = swap.partition->restate(merged.state, merged.files);
    for (const SegmentRef& source : swap.group.sources) {
      if (there && source.state.base == merged.state.base) continue;  // replaced by the rename
      MR_TRY(source.files->unlink());
    }
    unsynced_names_.insert(swap.partition->directory());
    if (!there) continue;  // trimmed meanwhile: its own files are being removed
    MR_TRY(merged.files->take_name());
    (void)swap.partition->restate(named, merged.files);
    renamed_.insert(swap.partition->id());
  }
  return {};
}

// At a start: finishes what the process before began. Files in the range of a merged segment that are not its own were
// replaced by it.
Result<bool> DiskLog::recover_compacted(Partition& partition, std::span<const std::string> names) {
  const std::vector<SegmentRef> segments = partition.segments();
  const std::string directory = partition.directory();
  bool changed = false;
  for (const SegmentRef& segment : segments) {
    if (!segment.state.swap) continue;
    changed = true;
    MR_TRY(segment.files->take_name());
    SegmentState named = segment.state;
    named.swap = false;
    (void)partition.restate(named, segment.files);
    renamed_.insert(partition.id());
    unsynced_names_.insert(directory);
  }
  const auto replaced = [&](Offset base) {
    return std::ranges::any_of(segments, [&](const SegmentRef& segment) {
      return segment.state.compacted && base > segment.state.base && base < segment.state.next;
    });
  };
  for (const std::string& name : names) {
    const auto parsed = parse_segment_file_name(name);
    if (!parsed) continue;
    const bool unnamed = parsed->extension.ends_with(kSwapSuffix);
    const bool named_now = std::ranges::any_of(
        segments, [&](const SegmentRef& segment) { return segment.state.swap && segment.state.base == parsed->base; });
    if (unnamed ? named_now : !replaced(parsed->base)) continue;
    changed = true;
    const auto removed = files_.remove_file(directory + '/' + name);
    if (!removed && removed.error().code != ErrorCode::not_found) return std::unexpected(removed.error());
  }
  return changed;
}

}  // namespace millrace::storage
