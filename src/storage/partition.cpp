#include "storage/partition.h"

#include <algorithm>

#include "base/assert.h"
#include "base/endian.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kAttributesAt = 21;
constexpr std::size_t kMaxTimestampAt = 35;
constexpr std::size_t kCrcAt = 17;
constexpr std::int16_t kLogAppendTimeBit = 0x08;

// Sets who says what time it is (attributes bit 3) and, for the log, the time; the CRC has to follow.
void stamp(SharedBytes& batch, BatchHeader& header, bool log_append_time, std::int64_t now_ms) {
  header.attributes = static_cast<std::int16_t>(log_append_time ? header.attributes | kLogAppendTimeBit
                                                                : header.attributes & ~kLogAppendTimeBit);
  std::uint8_t* const at = batch.mutable_data();
  store_be(at + kAttributesAt, header.attributes);
  if (log_append_time) {
    header.max_timestamp = now_ms;
    store_be(at + kMaxTimestampAt, now_ms);
  }
  header.crc = compute_batch_crc(batch.view());
  store_be(at + kCrcAt, header.crc);
}

}  // namespace

Partition::Partition(io::FileSystem& files, std::shared_ptr<OpenFiles> open_files, PartitionId id, PartitionSpec spec,
                     Offset start)
    : files_(files),
      open_files_(std::move(open_files)),
      id_(id),
      name_(spec.name),
      log_start_(start.value()),
      high_watermark_(start.value()),
      spec_(std::move(spec)),
      commit_config_(spec_.config),
      next_(start) {}

Partition::Partition(io::FileSystem& files, std::shared_ptr<OpenFiles> open_files, PartitionCheckpoint&& checkpoint)
    : Partition(files, std::move(open_files), checkpoint.id, std::move(checkpoint.spec), checkpoint.next) {
  log_start_ = checkpoint.log_start.value();
  producers_ = std::move(checkpoint.producers);
  writer.producers = producers_;
  segments_.reserve(checkpoint.segments.size());
  for (const SegmentState& state : checkpoint.segments) {
    segments_.push_back({std::make_shared<Segment>(files_, directory(), state.base, open_files_, state.swap), state});
  }
  active_open_ = !segments_.empty();
}

PartitionSpec Partition::spec() const {
  const std::scoped_lock lock(mutex_);
  return spec_;
}

LogConfig Partition::config() const {
  const std::scoped_lock lock(mutex_);
  return spec_.config;
}

std::uint64_t Partition::size_bytes() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t bytes = waiting_bytes_;
  for (const SegmentRef& segment : segments_) bytes += segment.state.size;
  return bytes;
}

std::vector<SegmentRef> Partition::segments() const {
  const std::scoped_lock lock(mutex_);
  return segments_;
}

// --- the log thread
// ---------------------------------------------------------------------------------------------------------

const ProducerEntry* Partition::staged_producer(ProducerId id) const {
  for (const auto& [staged_id, entry] : staged_producers_) {
    if (staged_id == id) return &entry;
  }
  return producers_.find(id);  // only this thread changes it, so reading needs no lock
}

Result<Appended> Partition::stage(SharedBytes& batch, std::int64_t now_ms) {
  if (deleted()) return fail(ErrorCode::not_found, "partition was deleted");
  if (batch.size() > static_cast<std::size_t>(commit_config_.max_message_bytes)) {
    return fail(ErrorCode::too_large, "record batch is larger than max.message.bytes");
  }
  MR_TRY_ASSIGN(BatchHeader header, parse_batch_header(batch.view()));
  if (header.size_bytes() != batch.size()) return fail(ErrorCode::malformed, "record batch length");
  Appended appended;
  appended.base_offset = next_;
  appended.log_start = log_start();
  ProducerEntry producer;
  if (header.has_producer()) {
    const ProducerEntry* const known = staged_producer(header.producer_id);
    const ProducerVerdict verdict = judge(known, header);
    switch (verdict.kind) {
      case ProducerVerdict::Kind::accept:
        break;
      case ProducerVerdict::Kind::fenced:
        return fail(ErrorCode::fenced, "producer epoch is older than the known one");
      case ProducerVerdict::Kind::out_of_order:
        return fail(ErrorCode::out_of_order, "producer sequence is not the next one");
      case ProducerVerdict::Kind::duplicate:
        appended.base_offset = verdict.original.base_offset();
        appended.duplicate = true;
        if (commit_config_.log_append_time) appended.log_append_time_ms = verdict.original.timestamp_ms;
        return appended;
    }
    if (known != nullptr) producer = *known;
  }
  if (commit_config_.log_append_time || header.log_append_time())
    stamp(batch, header, commit_config_.log_append_time, now_ms);
  patch_base_offset({batch.mutable_data(), batch.size()}, next_, LeaderEpoch(0));
  if (commit_config_.log_append_time) appended.log_append_time_ms = now_ms;
  if (header.has_producer()) {
    accept(producer, header, next_, now_ms);
    const auto staged =
        std::ranges::find(staged_producers_, header.producer_id, &std::pair<ProducerId, ProducerEntry>::first);
    if (staged == staged_producers_.end()) {
      staged_producers_.emplace_back(header.producer_id, producer);
    } else {
      staged->second = producer;
    }
  }
  const Offset last = next_ + header.last_offset_delta;
  staged_.push_back({batch, next_, last, header.max_timestamp, header.base_timestamp});
  staged_bytes_ += batch.size();
  next_ = last + 1;
  return appended;
}

void Partition::unstage() {
  staged_.clear();
  staged_producers_.clear();
  staged_bytes_ = 0;
  next_ = high_watermark();
}

Partition::Published Partition::publish(MonoTime now, std::uint64_t piece_bytes) {
  Published published;
  {
    const std::scoped_lock lock(mutex_);
    ++changes_;
    published.first = waiting_bytes_ == 0;
    if (published.first) waiting_since_ = now;
    published.piece = waiting_bytes_ < piece_bytes && waiting_bytes_ + staged_bytes_ >= piece_bytes;
    waiting_bytes_ += staged_bytes_;
    for (StoredBatch& batch : staged_) tail_.push_back(std::move(batch));
    for (const auto& [id, entry] : staged_producers_) producers_.put(id, entry);
    high_watermark_.store(next_.value(), std::memory_order_release);
  }
  staged_.clear();
  staged_producers_.clear();
  staged_bytes_ = 0;
  waiters_.wake(next_);
  return published;
}

void Partition::configure(const LogConfig& config, std::string properties) {
  commit_config_ = config;
  const std::scoped_lock lock(mutex_);
  ++changes_;
  spec_.config = config;
  spec_.properties = std::move(properties);
}

void Partition::mark_deleted() {
  deleted_.store(true, std::memory_order_release);
  waiters_.wake_all();
}

std::vector<SegmentRef> Partition::trim(Offset log_start) {
  std::vector<SegmentRef> gone;
  const std::scoped_lock lock(mutex_);
  ++changes_;
  if (log_start.value() > log_start_.load()) log_start_.store(log_start.value(), std::memory_order_release);
  auto keep =
      std::ranges::find_if(segments_, [&](const SegmentRef& segment) { return segment.state.next > log_start; });
  if (keep == segments_.end() && active_open_ && active_held_) --keep;
  if (keep == segments_.end()) active_open_ = false;
  gone.assign(std::make_move_iterator(segments_.begin()), std::make_move_iterator(keep));
  segments_.erase(segments_.begin(), keep);
  return gone;
}

Offset Partition::retention_start(std::int64_t now_ms) const {
  const std::scoped_lock lock(mutex_);
  Offset start(log_start_.load());
  if (!spec_.config.delete_old) return start;
  std::uint64_t total = waiting_bytes_;
  for (const SegmentRef& segment : segments_) total += segment.state.size;
  const std::int64_t keep_ms = spec_.config.retention_ms;
  const std::int64_t keep_bytes = spec_.config.retention_bytes;
  for (const SegmentRef& segment : segments_) {
    const SegmentState& state = segment.state;
    const bool expired = keep_ms >= 0 && now_ms - newest_ms(state) > keep_ms;
    const bool surplus = keep_bytes >= 0 && total - state.size >= static_cast<std::uint64_t>(keep_bytes);
    if (!expired && !surplus) break;
    total -= state.size;
    start = std::max(start, state.next);
  }
  return start;
}

std::optional<SegmentState> Partition::oldest_to_give_up() const {
  const std::scoped_lock lock(mutex_);
  if (spec_.config.disk_full != DiskFullPolicy::delete_oldest || segments_.size() < 2) return std::nullopt;
  return segments_.front().state;
}

void Partition::expire_producers(std::int64_t now_ms, std::int64_t age_ms) {
  const std::scoped_lock lock(mutex_);
  if (producers_.expire(now_ms, age_ms)) ++changes_;
}

Result<void> Partition::replay(StoredBatch batch, const BatchHeader& header, std::int64_t wall_ms, MonoTime now) {
  if (batch.base != next_) return fail(ErrorCode::malformed, "journal does not continue the partition");
  ++changes_;
  producers_.apply(header, wall_ms);
  if (waiting_bytes_ == 0) waiting_since_ = now;
  waiting_bytes_ += batch.bytes.size();
  next_ = batch.last + 1;
  tail_.push_back(std::move(batch));
  high_watermark_ = next_.value();
  return {};
}

// --- the segment writer
// -----------------------------------------------------------------------------------------------------

Partition::Waiting Partition::waiting() const {
  const std::scoped_lock lock(mutex_);
  return {waiting_bytes_, waiting_since_};
}

Offset Partition::written() const {
  const std::scoped_lock lock(mutex_);
  return written_in_tail_ < tail_.size() ? tail_[written_in_tail_].base : high_watermark();
}

std::vector<StoredBatch> Partition::piece(std::size_t max_bytes, Offset limit) const {
  std::vector<StoredBatch> batches;
  std::size_t bytes = 0;
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = written_in_tail_; i < tail_.size() && tail_[i].base < limit; ++i) {
    if (batches.size() > 1 && bytes + tail_[i].bytes.size() > max_bytes) break;
    bytes += tail_[i].bytes.size();
    batches.push_back(tail_[i]);
  }
  return batches;
}

std::optional<SegmentRef> Partition::active() const {
  const std::scoped_lock lock(mutex_);
  if (!active_open_) return std::nullopt;
  return segments_.back();
}

std::optional<SegmentRef> Partition::hold_active() {
  const std::scoped_lock lock(mutex_);
  active_held_ = true;
  if (!active_open_) return std::nullopt;
  return segments_.back();
}

void Partition::begin_segment(SegmentRef segment) {
  const std::scoped_lock lock(mutex_);
  ++changes_;
  segments_.push_back(std::move(segment));
  active_open_ = true;
}

void Partition::advance(const SegmentState& state, std::size_t count, MonoTime now) {
  const std::scoped_lock lock(mutex_);
  ++changes_;
  segments_.back().state = state;
  active_held_ = false;
  for (std::size_t i = 0; i < count; ++i) waiting_bytes_ -= tail_[written_in_tail_ + i].bytes.size();
  written_in_tail_ += count;
  waiting_since_ = now;
}

void Partition::seal(const SegmentState& state) {
  const std::scoped_lock lock(mutex_);
  if (!active_open_ || segments_.back().state.base != state.base) return;
  ++changes_;
  segments_.back().state = state;
  active_open_ = false;
}

bool Partition::replace(std::span<const SegmentRef> sources, const SegmentRef& merged) {
  const std::scoped_lock lock(mutex_);
  const auto first = std::ranges::find(segments_, sources.front().files, &SegmentRef::files);
  const auto room = static_cast<std::size_t>(segments_.end() - first);
  if (room <= sources.size()) return false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if ((first + static_cast<std::ptrdiff_t>(i))->files != sources[i].files) return false;
  }
  ++changes_;
  *first = merged;
  segments_.erase(first + 1, first + static_cast<std::ptrdiff_t>(sources.size()));
  return true;
}

bool Partition::restate(const SegmentState& state, const std::shared_ptr<Segment>& files) {
  const std::scoped_lock lock(mutex_);
  const auto it = std::ranges::find(segments_, files, &SegmentRef::files);
  if (it == segments_.end()) return false;
  ++changes_;
  it->state = state;
  return true;
}

std::unordered_map<ProducerId, Offset> Partition::producer_ends() const {
  const std::scoped_lock lock(mutex_);
  return producers_.ends();
}

PartitionCheckpoint Partition::checkpoint() const {
  const std::scoped_lock lock(mutex_);
  PartitionCheckpoint checkpoint;
  checkpoint.id = id_;
  checkpoint.spec = spec_;
  checkpoint.log_start = Offset(log_start_.load());
  checkpoint.next = Offset(high_watermark_.load());
  checkpoint.producers = producers_;
  return checkpoint;
}

std::optional<StoredBatch> Partition::evict_oldest() {
  const std::scoped_lock lock(mutex_);
  if (written_in_tail_ == 0) return std::nullopt;
  StoredBatch oldest = std::move(tail_.front());
  tail_.pop_front();
  --written_in_tail_;
  return oldest;
}

}  // namespace millrace::storage
