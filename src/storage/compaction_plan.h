// CompactionPlan: which segments of a partition are to be compacted, and whether it is time. Kafka:
// LogCleanerManager.grabFilthiestCompactedLog. Thread: any (values only).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "storage/log_config.h"
#include "storage/partition.h"

namespace millrace::storage {

struct CompactionPlan {
  /// Segments of which each group becomes one, in order; they follow each other within a group.
  std::vector<std::vector<SegmentRef>> groups;
  /// Segments whose keys have to be known: from the first that is not clean to the last of the groups.
  std::vector<SegmentRef> dirty;
  Offset dirty_from;  // everything before is clean
  Offset end;         // first offset that stays as it is
  double dirty_ratio = 0;
  std::uint64_t bytes = 0;  // of all groups
};

/// What there is to do with a partition's segments; nullopt when there is nothing, or not yet. The newest segment is
/// never part of it. A segment counts as no younger than its newest append: a device with a wrong clock must not keep
/// it from being compacted.
std::optional<CompactionPlan> plan_compaction(std::span<const SegmentRef> segments, const LogConfig& config,
                                              std::int64_t now_ms);

}  // namespace millrace::storage
