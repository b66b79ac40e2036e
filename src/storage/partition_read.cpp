// The reading half of Partition: every function may be called from any thread.
#include <algorithm>
#include <functional>
#include <iterator>

#include "storage/partition.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kMostWithoutRecords = 64_KiB;  // of one answer

}  // namespace

Result<ReadResult> Partition::read_tail(Offset from, std::size_t max_bytes) const {
  ReadResult result;
  auto batch = std::ranges::lower_bound(tail_, from, {}, &StoredBatch::last);
  for (; batch != tail_.end(); ++batch) {
    if (!result.batches.empty() && result.bytes + batch->bytes.size() > max_bytes) break;
    result.bytes += batch->bytes.size();
    result.batches.push_back(batch->bytes);
  }
  return result;
}

Result<Partition::Place> Partition::look_up(Offset from, std::size_t max_bytes) const {
  Place place;
  if (deleted()) return fail(ErrorCode::closed, "partition was deleted");
  const Offset start = log_start();
  const Offset end = high_watermark();
  if (from < start || from > end) return fail(ErrorCode::out_of_range, "offset is not in the log");
  if (from < end) {
    if (!tail_.empty() && from >= tail_.front().base) {
      MR_TRY_ASSIGN(place.result, read_tail(from, max_bytes));
    } else {
      const auto found = std::ranges::find_if(segments_, [&](const SegmentRef& ref) { return ref.state.next > from; });
      if (found == segments_.end() || found->state.base > from) {
        return fail(ErrorCode::corrupt, "no segment holds this offset",
                    files_.describe(directory()) + " offset " + std::to_string(from.value()));
      }
      place.segment = *found;
    }
  }
  place.result.log_start = start;
  place.result.high_watermark = end;
  return place;
}

Result<std::optional<ReadResult>> Partition::read_memory(Offset from, std::size_t max_bytes) {
  const std::scoped_lock lock(mutex_);
  MR_TRY_ASSIGN(Place place, look_up(from, max_bytes));
  if (place.segment.files) return std::nullopt;
  return std::move(place.result);
}

Result<ReadResult> Partition::read_at(Offset from, std::size_t max_bytes, bool as_file) {
  MR_TRY_ASSIGN(Place place, read_place(from, max_bytes, as_file));
  if (place.records) return std::move(place.result);
  if (as_file) {
    MR_TRY_ASSIGN(place, read_place(from, max_bytes, false));
  }
  return read_on(std::move(place), max_bytes);
}

// A batch without records is all that compaction left of some, and a segment may hold nothing else. A client that gets
// only such takes its limit for too small (librdkafka gives up after ten such answers), so what follows goes with them.
ReadResult Partition::read_on(Place place, std::size_t max_bytes) {
  ReadResult result = std::move(place.result);
  while (!place.records && place.next < result.high_watermark && result.bytes < kMostWithoutRecords) {
    auto more = read_place(place.next, max_bytes, false);
    if (!more) break;  // it is the answer to the read that begins there
    place = std::move(*more);
    result.bytes += place.result.bytes;
    std::ranges::move(place.result.batches, std::back_inserter(result.batches));
  }
  return result;
}

Result<Partition::Place> Partition::read_place(Offset from, std::size_t max_bytes, bool as_file) {
  while (true) {
    auto done = read_once(from, max_bytes, as_file);
    // Compaction may have put another segment in the place of the one that was looked up.
    if (done || done.error().code != ErrorCode::closed || deleted()) return done;
  }
}

Result<Partition::Place> Partition::read_once(Offset from, std::size_t max_bytes, bool as_file) {
  Place place;
  {
    const std::scoped_lock lock(mutex_);
    MR_TRY_ASSIGN(place, look_up(from, max_bytes));
  }
  if (!place.segment.files) return place;
  auto found = place.segment.files->read(place.segment.state, from, max_bytes, as_file);
  if (!found) {
    // The files may have been unlinked between the look-up and the read.
    if (deleted()) return fail(ErrorCode::closed, "partition was deleted");
    if (from < log_start()) return fail(ErrorCode::out_of_range, "offset is not in the log");
    return std::unexpected(found.error());
  }
  // The path may belong to a new partition of the same name by now.
  if (deleted()) return fail(ErrorCode::closed, "partition was deleted");
  place.result.batches = std::move(found->batches);
  place.result.file = std::move(found->file);
  place.result.bytes = place.result.file.size;
  for (const SharedBytes& batch : place.result.batches) place.result.bytes += batch.size();
  place.records = found->records;
  place.next = found->next;
  return place;
}

Result<std::optional<TimestampedOffset>> Partition::find_timestamp(std::int64_t timestamp_ms) {
  while (true) {
    auto found = find_timestamp_once(timestamp_ms);
    // Compaction may have put another segment in the place of one that was being looked into.
    if (found || found.error().code != ErrorCode::closed || deleted()) return found;
  }
}

Result<std::optional<TimestampedOffset>> Partition::find_timestamp_once(std::int64_t timestamp_ms) {
  std::vector<SegmentRef> segments;
  std::vector<StoredBatch> waiting;
  Offset start;
  {
    const std::scoped_lock lock(mutex_);
    if (deleted()) return fail(ErrorCode::closed, "partition was deleted");
    start = log_start();
    for (const SegmentRef& segment : segments_) {
      if (segment.state.max_timestamp >= timestamp_ms && segment.state.next > start) segments.push_back(segment);
    }
    for (std::size_t i = written_in_tail_; i < tail_.size(); ++i) {
      if (tail_[i].max_timestamp >= timestamp_ms && tail_[i].last >= start) waiting.push_back(tail_[i]);
    }
  }
  const auto answer = [](const TimestampMatch& match) { return TimestampedOffset{match.timestamp_ms, match.offset}; };
  for (const SegmentRef& segment : segments) {
    const auto match = segment.files->find_timestamp(segment.state, timestamp_ms, start);
    if (!match && deleted()) return fail(ErrorCode::closed, "partition was deleted");
    if (!match && segment.state.next <= log_start()) continue;  // retention took it meanwhile
    if (!match) return std::unexpected(match.error());
    if (*match) return answer(**match);
  }
  for (const StoredBatch& batch : waiting) {
    MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(batch.bytes.view()));
    const auto match = find_in_batch(header, batch.bytes.view(), timestamp_ms, start);
    if (match) return answer(*match);
  }
  return std::nullopt;
}

Result<std::optional<TimestampedOffset>> Partition::find_max_timestamp() {
  std::vector<std::int64_t> candidates;
  {
    const std::scoped_lock lock(mutex_);
    if (deleted()) return fail(ErrorCode::closed, "partition was deleted");
    const Offset start = log_start();
    for (const SegmentRef& segment : segments_) {
      if (segment.state.next > start) candidates.push_back(segment.state.max_timestamp);
    }
    for (std::size_t i = written_in_tail_; i < tail_.size(); ++i) {
      if (tail_[i].last >= start) candidates.push_back(tail_[i].max_timestamp);
    }
  }
  std::ranges::sort(candidates, std::greater());
  std::optional<TimestampedOffset> best;
  for (const std::int64_t candidate : candidates) {
    if (candidate == kNoTimestamp) break;
    MR_TRY_ASSIGN(best, find_timestamp(candidate));
    if (best) break;
  }
  // A candidate may be the timestamp of a record below the log start; what it hides is found by climbing from the first
  // record.
  if (!best) {
    MR_TRY_ASSIGN(best, find_timestamp(kNoTimestamp));
  }
  while (best) {
    MR_TRY_ASSIGN(const auto higher, find_timestamp(best->timestamp_ms + 1));
    if (!higher) break;
    best = higher;
  }
  return best;
}

std::vector<ProducerState> Partition::producers() const {
  const std::scoped_lock lock(mutex_);
  return producers_.states();
}

void Partition::when_beyond(Offset beyond, Executor& executor, Task task) {
  waiters_.add(beyond, executor, std::move(task), [&] { return deleted() || high_watermark() > beyond; });
}

void Partition::cancel_waits(Executor& executor) {
  waiters_.cancel(executor);
}

}  // namespace millrace::storage
