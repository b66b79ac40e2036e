// SegmentState: what is known of one segment of a partition. A value: the writer computes the next one, the partition
// publishes it under its lock, readers copy it, the checkpoint stores it. File contents beyond `size` and the entry
// counts do not count.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/ids.h"

namespace millrace::storage {

struct SegmentState {
  Offset base;             // names the files
  Offset next;             // first offset behind the segment
  std::uint64_t size = 0;  // bytes of .log
  std::uint32_t index_entries = 0;
  std::uint32_t time_entries = 0;
  std::int64_t max_timestamp = kNoTimestamp;      // of all records
  Offset max_timestamp_offset{-1};                // last offset of the batch that has it
  std::int64_t last_time_entry = kNoTimestamp;    // timestamp of the newest time index entry
  std::int64_t created_ms = 0;                    // wall time of the first append
  std::int64_t last_append_ms = 0;                // wall time of the newest append
  std::uint64_t bytes_since_index = 0;            // log bytes since the newest offset index entry
  bool compacted = false;                         // its batches may lack records
  bool swap = false;                              // the files still have ".swap" behind their names
  Offset clean_until{-1};                         // of a compacted segment: no key stands twice below this offset
  std::int64_t delete_horizon_ms = kNoTimestamp;  // of a compacted segment: when its first tombstone may go
  bool operator==(const SegmentState&) const = default;
};

/// How young a segment counts for retention and compaction: as its newest record says, but no younger than its newest
/// append, or a device with a wrong clock would keep it for ever. Of a compacted segment last_append_ms is that of all
/// the segments it was made of, for its newest record may have been compacted away.
[[nodiscard]] inline std::int64_t newest_ms(const SegmentState& state) {
  if (state.compacted || state.max_timestamp < 0) return state.last_append_ms;
  return std::min(state.max_timestamp, state.last_append_ms);
}

}  // namespace millrace::storage
