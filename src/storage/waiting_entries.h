// WaitingEntries: entries of a segment's two indexes that are not in their files yet.
//
// A piece of a segment that has one of ten thousand partitions is small, and has an entry or two. Writing them with
// every piece takes three files instead of one. Indexes are hints: a reader walks on from the last entry that is
// written, and whoever dies with some of them leaves a hole. Thread: the segment writer.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "storage/segment_state.h"

namespace millrace::storage {

class WaitingEntries {
 public:
  [[nodiscard]] bool empty() const { return offsets_.empty() && times_.empty(); }
  /// Offset index entries; time index entries are at most as many, and one.
  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(offsets_.size()); }
  /// Bytes of a log of `size` bytes that a reader may have to walk for want of the entries.
  [[nodiscard]] std::uint64_t behind(std::uint64_t size) const {
    return offsets_.empty() ? 0 : size - offsets_.front().position;
  }

  /// The batch that ends with `last` begins at `state.size`; `state` has its timestamp.
  void add(const SegmentState& state, Offset last);
  /// The largest timestamp so far, if it has grown since the entry before.
  void add_time(const SegmentState& state);

  /// As the files have them, behind those they have.
  [[nodiscard]] Buffer offset_index() const;
  [[nodiscard]] Buffer time_index() const;
  /// `state` with them in the files.
  [[nodiscard]] SegmentState written(SegmentState state) const;
  void clear();

  struct Mark {
    std::size_t offsets = 0;
    std::size_t times = 0;
  };
  [[nodiscard]] Mark mark() const { return {offsets_.size(), times_.size()}; }
  /// What came since the mark does not count.
  void back_to(Mark mark);

 private:
  struct OffsetEntry {
    std::int32_t offset = 0;  // relative to the segment's base
    std::uint32_t position = 0;
  };
  struct TimeEntry {
    std::int64_t timestamp_ms = 0;
    std::int32_t offset = 0;
  };
  std::vector<OffsetEntry> offsets_;
  std::vector<TimeEntry> times_;
};

}  // namespace millrace::storage
