#include "storage/waiting_entries.h"

#include "base/endian.h"
#include "storage/segment.h"

namespace millrace::storage {

void WaitingEntries::add(const SegmentState& state, Offset last) {
  offsets_.push_back({static_cast<std::int32_t>(last - state.base), static_cast<std::uint32_t>(state.size)});
  add_time(state);
}

void WaitingEntries::add_time(const SegmentState& state) {
  const std::int64_t newest = times_.empty() ? state.last_time_entry : times_.back().timestamp_ms;
  if (state.max_timestamp <= newest) return;
  times_.push_back({state.max_timestamp, static_cast<std::int32_t>(state.max_timestamp_offset - state.base)});
}

Buffer WaitingEntries::offset_index() const {
  Buffer out(offsets_.size() * kIndexEntryBytes);
  for (const OffsetEntry& entry : offsets_) {
    store_be(out.prepare(kIndexEntryBytes), entry.offset);
    store_be(out.data() + out.size() + 4, entry.position);
    out.commit(kIndexEntryBytes);
  }
  return out;
}

Buffer WaitingEntries::time_index() const {
  Buffer out(times_.size() * kTimeEntryBytes);
  for (const TimeEntry& entry : times_) {
    store_be(out.prepare(kTimeEntryBytes), entry.timestamp_ms);
    store_be(out.data() + out.size() + 8, entry.offset);
    out.commit(kTimeEntryBytes);
  }
  return out;
}

SegmentState WaitingEntries::written(SegmentState state) const {
  state.index_entries += static_cast<std::uint32_t>(offsets_.size());
  state.time_entries += static_cast<std::uint32_t>(times_.size());
  if (!times_.empty()) state.last_time_entry = times_.back().timestamp_ms;
  return state;
}

void WaitingEntries::clear() {
  offsets_.clear();
  times_.clear();
}

void WaitingEntries::back_to(Mark mark) {
  offsets_.resize(mark.offsets);
  times_.resize(mark.times);
}

}  // namespace millrace::storage
