// Segments behind the journal: DiskLog::write_behind(). Thread: the segment writer (and open/close, alone).
#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <ranges>
#include <set>

#include "base/log.h"
#include "storage/disk_log.h"
#include "storage/durable_file.h"
#include "storage/partition_directory.h"

namespace millrace::storage {
namespace {

// A batch waits at most this long for company before it is written to its segment, so that files can be read from
// outside.
constexpr MonoTime kMaxWait = std::chrono::seconds(1);
// ... or so long for each partition that waits: a thousand small writes in a second are enough.
constexpr MonoTime kMaxWaitEach = std::chrono::milliseconds(1);
constexpr Offset kNoLimit{std::numeric_limits<std::int64_t>::max()};
constexpr std::size_t kUnlinkedAtOnce = 64;  // segments and directories

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

// Its indexes will have to hold them.
SegmentState with_waiting_entries(const SegmentRef& segment) {
  SegmentState state = segment.state;
  state.index_entries += segment.files->waiting_entries();
  state.time_entries += segment.files->waiting_entries();
  return state;
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
  if (partition.writer.directory_made) return true;
  // A deleted partition of the same name may still own the directory.
  MR_TRY(rename_removed());
  if (partition.deleted()) return false;
  MR_TRY(make_partition_directory(files_, partition.directory(), partition.spec().topic_id));
  partition.writer.directory_made = true;
  topics_unsynced_ = true;
  new_directories_.insert(partition.directory());
  return true;
}

Result<void> DiskLog::seal_active(Partition& partition, const SegmentRef& active) {
  MR_TRY_ASSIGN(const SegmentState sealed, active.files->seal(active.state));
  note_dirty(active.files);
  partition.seal(sealed);
  return {};
}

void DiskLog::note_dirty(const std::shared_ptr<Segment>& segment) {
  if (!std::exchange(segment->listed_as_dirty, true)) dirty_segments_.push_back(segment);
}

// Nothing: there is nothing to write, or nobody to write it for. From ensure_directory() to finish_piece() no directory
// may be renamed: names are what leads to the files.
Result<std::optional<DiskLog::PendingPiece>> DiskLog::begin_piece(const PartitionPtr& owner, Offset limit, bool pad,
                                                                  io::BlockBuffer& blocks) {
  Partition& partition = *owner;
  std::vector<StoredBatch> batches = partition.piece(options_.write_piece_bytes, limit);
  if (batches.empty() || partition.deleted()) return std::nullopt;
  const LogConfig config = partition.config();
  const std::int64_t now_ms = clock_.wall().count();
  std::optional<SegmentRef> active = partition.hold_active();
  if (active && must_roll(with_waiting_entries(*active), batches.front(), config, now_ms)) {
    MR_TRY(seal_active(partition, *active));
    active.reset();
  }
  if (!active) {
    const Offset base = batches.front().base;
    active = SegmentRef{std::make_shared<Segment>(files_, partition.directory(), base, open_files_), {}};
    active->state.base = base;
    active->state.next = base;
    unsynced_names_.insert(partition.directory());
    partition.begin_segment(*active);
    // As Apache Kafka has it: whoever reads from here on knows the producers that came before.
    (void)partition.writer.producers.expire(now_ms, kProducerExpiryMs);
    if (!partition.writer.producers.empty()) MR_TRY(write_snapshot(partition, base, partition.writer.producers));
  }
  // As many batches as the segment takes; the rest rolls with the next piece.
  std::size_t count = 1;
  SegmentState filled = with_waiting_entries(*active);
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
                                   .index_bytes = options_.write_piece_bytes,
                                   .all = count < batches.size() || batches.back().last + 1 >= limit,
                                   .pad = pad};
  const MonoTime started = clock_.mono();
  MR_TRY_ASSIGN(Segment::Piece piece,
                active->files->begin_append(active->state, std::span(batches).first(count), rules, blocks));
  return PendingPiece{owner, *active, std::move(batches), std::move(piece), &blocks, now_ms, started};
}

Result<void> DiskLog::finish_piece(PendingPiece pending, const Result<void>& written) {
  Partition& partition = *pending.partition;
  const SegmentState& before = pending.segment.state;
  MR_TRY_ASSIGN(const Segment::Appended appended,
                pending.segment.files->finish_append(before, std::move(pending.piece), written, *pending.blocks));
  const MonoTime now = clock_.mono();
  for (const StoredBatch& batch : std::span(pending.batches).first(appended.batches)) {
    if (const auto header = parse_batch_header(batch.bytes.view())) {
      partition.writer.producers.apply(*header, pending.now_ms);
    }
  }
  partition.advance(appended.state, appended.batches, now);
  metrics_.segment_bytes.add(appended.state.size - before.size);
  metrics_.segment_write_seconds.observe(now - pending.started);
  return {};
}

Result<bool> DiskLog::write_piece(const PartitionPtr& partition, Offset limit) {
  MR_TRY_ASSIGN(const bool there, ensure_directory(*partition));
  if (!there) return false;
  MR_TRY_ASSIGN(std::optional<PendingPiece> pending, begin_piece(partition, limit, false, blocks_));
  if (!pending) return false;
  const auto written =
      pending->piece.file ? pending->piece.file->write_blocks(pending->piece.position, blocks_.view()) : Result<void>{};
  MR_TRY(finish_piece(std::move(*pending), written));
  return true;
}

// A piece of each, whatever its size, in whole blocks past the page cache: the writes are under way together, and none
// of them costs the memory of a page. The first error is told when all have ended.
Result<void> DiskLog::write_together(std::span<Unwritten* const> changed, std::span<io::BlockBuffer> blocks) {
  // Of those that are deleted a directory may go to make room for another's.
  for (const Unwritten* const one : changed) {
    MR_TRY_ASSIGN([[maybe_unused]] const bool there, ensure_directory(*one->partition));
  }
  std::vector<PendingPiece> pieces;
  std::vector<io::BlockWrite> writes;
  Result<void> outcome;
  for (std::size_t i = 0; i < changed.size() && outcome; ++i) {
    auto begun = begin_piece(changed[i]->partition, changed[i]->state.next, true, blocks[i]);
    if (!begun) {
      outcome = std::unexpected(begun.error());
    } else if (*begun) {
      changed[i]->wrote = true;
      const Segment::Piece& piece = (*begun)->piece;
      if (piece.file) writes.push_back({piece.file.get(), piece.position, blocks[i].view()});
      pieces.push_back(std::move(**begun));
    }
  }
  files_.write_blocks_of(writes);
  auto write = writes.begin();
  for (PendingPiece& piece : pieces) {
    Result<void> written = piece.piece.file ? (write++)->done : Result<void>{};
    if (options_.bugs.forget_failed_write) written = {};
    const auto finished = finish_piece(std::move(piece), written);
    if (!finished && outcome) outcome = finished;
  }
  return outcome;
}

// Who has a whole piece comes first, then who waits for longest. Each step looks at few of them, however many wait.
DiskLog::PartitionPtr DiskLog::choose_partition() {
  const PartitionPtr in_the_way = tails_.holding_back(worth_a_checkpoint());
  const bool short_of_memory = in_the_way && in_the_way->waiting().bytes > 0 && !in_the_way->deleted();
  const MonoTime now = clock_.mono();
  const std::scoped_lock lock(mutex_);
  while (!pieces_.empty()) {
    const PartitionPtr partition = pieces_.front();
    const Partition::Waiting waiting = partition->waiting();
    const bool whole = waiting.bytes >= options_.write_piece_bytes && !partition->deleted();
    pieces_.pop_front();
    if (!whole) continue;
    pieces_.push_back(partition);  // its turn comes again until there is no whole piece
    return partition;
  }
  if (short_of_memory) return in_the_way;
  const MonoTime max_wait = std::max(kMaxWait, kMaxWaitEach * static_cast<MonoTime::rep>(waiting_.size()));
  while (!waiting_.empty() && now - waiting_.front().since >= max_wait) {
    const PartitionPtr partition = std::move(waiting_.front().partition);
    waiting_.pop_front();
    const Partition::Waiting waiting = partition->waiting();
    if (waiting.bytes == 0 || partition->deleted()) {
      partition->listed_as_waiting = false;
      continue;
    }
    // A piece of it may have been written since it was listed; after this turn it waits anew, too.
    const bool aged = now - waiting.since >= max_wait;
    waiting_.push_back({aged ? now : waiting.since, partition});
    if (aged) return partition;
  }
  return nullptr;
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
      // A whole piece need not take all there is: it ends with a block, which is then written once and past the page
      // cache.
      const bool whole = partition->waiting().bytes >= options_.write_piece_bytes;
      MR_TRY_ASSIGN(const bool wrote, write_piece(partition, whole ? kNoLimit : partition->high_watermark()));
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

// Deleted partitions: the directory gets a name that says so, which frees the old one for a new partition. What a full
// disk does not let through stays on the list.
Result<void> DiskLog::rename_removed() {
  std::vector<PartitionPtr> removed;
  {
    const std::scoped_lock lock(mutex_);
    removed = removed_;
  }
  if (removed.empty()) return {};
  std::set<std::string, std::less<>> renamed;
  std::vector<DoomedTree> trees;
  std::size_t done = 0;
  const auto rename_them = [&]() -> Result<void> {
    for (const PartitionPtr& partition : removed) {
      const std::string directory = partition->directory();
      if (files_.exists(directory)) {  // directory_made says too little: making it may have failed in the middle
        MR_TRY_ASSIGN(std::string path, set_aside(files_, directory));
        const auto delay = std::max<std::int64_t>(0, partition->config().file_delete_delay_ms);
        trees.push_back({std::move(path), clock_.mono() + std::chrono::milliseconds(delay), partition});
        renamed.insert(directory);
      }
      ++done;
    }
    return {};
  };
  const Result<void> all = rename_them();
  topics_unsynced_ = topics_unsynced_ || !renamed.empty();
  // Their files are meant by their old paths, which from now on belong to new partitions of the same names.
  const auto inside = [&](const std::shared_ptr<Segment>& segment) { return renamed.contains(segment->directory()); };
  std::erase_if(dirty_segments_, inside);
  std::erase_if(new_snapshots_, [&](const std::string& path) { return renamed.contains(parent_of(path)); });
  for (const std::string& directory : renamed) {
    new_directories_.erase(directory);
    unsynced_names_.erase(directory);
  }
  const std::scoped_lock lock(mutex_);
  std::erase_if(doomed_segments_, inside);
  removed_.erase(removed_.begin(), removed_.begin() + static_cast<std::ptrdiff_t>(done));
  std::ranges::move(trees, std::back_inserter(doomed_trees_));
  return all;
}

// Some of what was due by `time`: the journal needs this thread again before thousands of files are gone. False: there
// was nothing.
Result<bool> DiskLog::unlink_some(MonoTime time) {
  MR_TRY(rename_removed());
  std::vector<std::shared_ptr<Segment>> segments;
  std::vector<DoomedTree> trees;
  {
    const std::scoped_lock lock(mutex_);
    std::ranges::copy(doomed_segments_ | std::views::take(kUnlinkedAtOnce), std::back_inserter(segments));
    for (const DoomedTree& tree : doomed_trees_) {
      if (segments.size() + trees.size() >= kUnlinkedAtOnce) break;
      if (tree.not_before <= time) trees.push_back(tree);
    }
  }
  if (segments.empty() && trees.empty()) return false;
  // One that fails half-way has nothing left that a checkpoint could sync.
  std::erase_if(dirty_segments_, [&](const std::shared_ptr<Segment>& segment) {
    return std::ranges::find(segments, segment) != segments.end();
  });
  std::set<std::shared_ptr<Segment>> unlinked;
  std::set<std::string> removed;
  const auto unlink_them = [&]() -> Result<void> {
    for (const auto& segment : segments) {
      MR_TRY(segment->unlink());
      metrics_.deleted_segments.add();
      unlinked.insert(segment);
    }
    for (const DoomedTree& tree : trees) {
      if (files_.exists(tree.path)) MR_TRY(files_.remove_tree(tree.path));
      // Whoever still has the partition must not keep its blocks.
      if (tree.partition) {
        for (const SegmentRef& segment : tree.partition->segments()) segment.files->abandon_files();
      }
      removed.insert(tree.path);
    }
    return {};
  };
  const Result<void> all = unlink_them();
  const std::scoped_lock lock(mutex_);
  std::erase_if(doomed_segments_, [&](const auto& segment) { return unlinked.contains(segment); });
  std::erase_if(doomed_trees_, [&](const DoomedTree& tree) { return removed.contains(tree.path); });
  if (!all) return std::unexpected(all.error());
  return true;
}

}  // namespace millrace::storage
