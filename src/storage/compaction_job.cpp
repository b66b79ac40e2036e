#include "storage/compaction_job.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/durable_file.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kReadAhead = 256_KiB;

}  // namespace

CompactionJob::Passage::Passage(const SegmentRef& ref, std::shared_ptr<io::File> log)
    : segment(ref), file(std::move(log)), walker(*file, 0, segment.state.size, segment.state.base, kReadAhead) {}

CompactionJob::CompactionJob(io::FileSystem& files, std::shared_ptr<OpenFiles> open_files,
                             std::shared_ptr<Partition> partition, CompactionPlan plan, const CompactionLimits& limits,
                             std::int64_t now_ms)
    : files_(files),
      open_files_(std::move(open_files)),
      partition_(std::move(partition)),
      plan_(std::move(plan)),
      limits_(limits),
      config_(partition_->config()),
      now_ms_(now_ms),
      newest_(limits.memory_bytes, limits.seed),
      producers_(partition_->producer_ends()),
      known_until_(plan_.end) {}

std::unexpected<Error> CompactionJob::corrupt(std::uint64_t position, const char* what) const {
  return fail(
      ErrorCode::corrupt, "segment is damaged and stays uncompacted",
      fmt::format("{} at position {}: {}", files_.describe(passage_->segment.files->path(".log")), position, what));
}

// The next batch of the segment; nullopt behind its last.
Result<std::optional<BatchAt>> CompactionJob::next(const SegmentRef& segment) {
  if (!passage_) {
    MR_TRY_ASSIGN(auto file, segment.files->log_file());
    passage_.emplace(segment, std::move(file));
  }
  auto batch = passage_->walker.next();
  if (!batch && batch.error().code == ErrorCode::malformed) {
    return corrupt(passage_->walker.position(), batch.error().context);
  }
  return batch;
}

// No damaged byte gets a new checksum.
Result<ByteView> CompactionJob::checked(const BatchAt& batch) {
  const auto bytes = passage_->walker.payload(batch);
  if (!bytes && bytes.error().code == ErrorCode::malformed) return corrupt(batch.position, bytes.error().context);
  if (!bytes) return std::unexpected(bytes.error());
  if (!batch_crc_matches(*bytes)) return corrupt(batch.position, "record batch CRC does not match");
  counts_.bytes_read += bytes->size();
  return *bytes;
}

Result<CompactionJob::State> CompactionJob::step() {
  return learning_ ? learn() : rewrite();
}

Result<CompactionJob::State> CompactionJob::learn() {
  const std::uint64_t until = counts_.bytes_read + limits_.step_bytes;
  while (counts_.bytes_read < until) {
    if (segment_ == plan_.dirty.size()) {
      end_learning(plan_.end);
      return State::working;
    }
    MR_TRY_ASSIGN(const std::optional<BatchAt> batch, next(plan_.dirty[segment_]));
    if (!batch) {
      passage_.reset();
      ++segment_;
      continue;
    }
    if (batch->header.last_offset() < plan_.dirty_from || batch->header.control()) continue;
    MR_TRY_ASSIGN(const ByteView bytes, checked(*batch));
    if (const auto no_room = filter_.learn(batch->header, bytes, newest_, limits_.bugs)) {
      end_learning(*no_room);
      return State::working;
    }
  }
  return State::working;
}

// Groups that begin behind what is known are left for the next round.
void CompactionJob::end_learning(Offset known_until) {
  known_until_ = known_until;
  learning_ = false;
  passage_.reset();
  segment_ = 0;
  std::erase_if(plan_.groups,
                [&](const std::vector<SegmentRef>& group) { return group.front().state.base >= known_until; });
}

Result<CompactionJob::State> CompactionJob::rewrite() {
  if (group_ == plan_.groups.size()) return State::finished;
  if (!merged_.files) MR_TRY(begin_group());
  const std::uint64_t until = counts_.bytes_read + limits_.step_bytes;
  const std::vector<SegmentRef>& sources = plan_.groups[group_];
  while (counts_.bytes_read < until) {
    if (segment_ == sources.size()) {
      MR_TRY(finish_group());
      return State::group_ready;
    }
    MR_TRY_ASSIGN(const std::optional<BatchAt> batch, next(sources[segment_]));
    if (!batch) {
      passage_.reset();
      ++segment_;
      continue;
    }
    MR_TRY(take_batch(*batch));
  }
  return State::working;
}

Result<void> CompactionJob::begin_group() {
  const SegmentState& first = plan_.groups[group_].front().state;
  merged_.files = std::make_shared<Segment>(files_, partition_->directory(), first.base, open_files_, true);
  merged_.state = {};
  merged_.state.base = first.base;
  merged_.state.next = first.base;
  covered_ = first.base;
  horizon_ms_ = kNoTimestamp;
  return merged_.files->unlink();  // what an earlier job may have left
}

Result<void> CompactionJob::take_batch(const BatchAt& batch) {
  MR_TRY_ASSIGN(const ByteView bytes, checked(batch));
  const FilterRules rules{.newest = &newest_,
                          .known_until = known_until_,
                          .now_ms = now_ms_,
                          .delete_retention_ms = config_.delete_retention_ms,
                          .producers = &producers_,
                          .bugs = limits_.bugs};
  MR_TRY_ASSIGN(FilteredBatch filtered, filter_.filter(batch.header, SharedBytes::copy_of(bytes), rules));
  counts_.records_dropped += filtered.dropped;
  if (filtered.bytes.empty()) return {};
  if (filtered.delete_horizon_ms != kNoTimestamp) {
    horizon_ms_ =
        horizon_ms_ == kNoTimestamp ? filtered.delete_horizon_ms : std::min(horizon_ms_, filtered.delete_horizon_ms);
  }
  cover_until(batch.header.base_offset);
  if (kept_bytes_ >= limits_.step_bytes) MR_TRY(write_kept());
  kept_bytes_ += filtered.bytes.size();
  kept_.push_back({std::move(filtered.bytes), batch.header.base_offset, batch.header.last_offset(),
                   filtered.max_timestamp, filtered.base_timestamp});
  covered_ = batch.header.next_offset();
  return {};
}

// Batches follow each other without a gap, so that a wrong base offset, which no checksum covers, is noticed here as
// everywhere. Offsets that were compacted away belong to the batch before; where that is a producer's, whose sequences
// are counted by its offsets, or where there is none, to a batch without records.
void CompactionJob::cover_until(Offset next) {
  if (covered_ == next) return;
  if (kept_.empty() || !extend_batch(kept_.back(), next)) {
    kept_.push_back(empty_batch(covered_, next));
    kept_bytes_ += kBatchHeaderSize;
  }
  covered_ = next;
}

Result<void> CompactionJob::write_kept() {
  if (kept_.empty()) return {};
  const Segment::AppendRules rules{.index_interval = config_.index_interval_bytes,
                                   .segment_limit = static_cast<std::uint64_t>(config_.segment_bytes),
                                   .now_ms = now_ms_,
                                   .direct_bytes = limits_.direct_write_bytes};
  MR_TRY_ASSIGN(const Segment::Appended appended, merged_.files->append(merged_.state, kept_, rules, blocks_));
  merged_.state = appended.state;
  kept_.clear();
  kept_bytes_ = 0;
  return {};
}

Result<void> CompactionJob::finish_group() {
  const std::vector<SegmentRef>& sources = plan_.groups[group_];
  cover_until(sources.back().state.next);
  MR_TRY(write_kept());
  MR_TRY_ASSIGN(merged_.state, merged_.files->seal(merged_.state));
  if (!limits_.bugs.compaction_skips_sync) MR_TRY(sync_segment(files_, *merged_.files));
  MR_TRY(sync_names(files_, partition_->directory(), limits_.bugs));
  SegmentState& state = merged_.state;
  state.created_ms = sources.front().state.created_ms;
  state.last_append_ms = newest_ms(sources.front().state);
  for (const SegmentRef& source : sources) {
    state.created_ms = std::min(state.created_ms, source.state.created_ms);
    state.last_append_ms = std::max(state.last_append_ms, newest_ms(source.state));
    counts_.bytes_before += source.state.size;
  }
  counts_.bytes_after += state.size;
  state.compacted = true;
  state.swap = true;
  state.clean_until = std::min(known_until_, state.next);
  state.delete_horizon_ms = horizon_ms_;
  ready_ = true;
  return {};
}

CompactionJob::Group CompactionJob::take_group() {
  Group group{plan_.groups[group_], merged_};
  ready_ = false;
  merged_ = {};
  ++group_;
  segment_ = 0;
  passage_.reset();
  return group;
}

Result<void> CompactionJob::discard() {
  kept_.clear();
  if (!merged_.files) return {};
  const auto files = std::exchange(merged_.files, nullptr);
  return files->unlink();
}

}  // namespace millrace::storage
