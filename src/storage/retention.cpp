// Retention by time and size. Thread: the log thread; files are unlinked by the segment writer.
#include <optional>

#include "base/log.h"
#include "storage/disk_log.h"

namespace millrace::storage {

// The new log starts are durable before the first file goes: a start after a crash never looks for what was deleted on
// purpose.
Result<void> DiskLog::enforce_retention() {
  MR_TRY(usable());
  if (options_.bugs.acknowledge_early) MR_TRY(write_late_group());
  const bool doubted = retention_clock_.doubting();
  const std::int64_t now_ms = retention_clock_.look(clock_);
  if (!doubted && retention_clock_.doubting()) {
    log::warn("clock_jumped", {{"effect", "nothing expires by the new time before it has lasted for an hour"},
                               {"wall_ms", clock_.wall().count()},
                               {"expected_ms", now_ms}});
  }
  std::vector<PartitionPtr> partitions;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, partition] : table_) partitions.push_back(partition);
  }
  std::vector<std::pair<PartitionPtr, Offset>> moved;
  for (const PartitionPtr& partition : partitions) {
    partition->expire_producers(now_ms, kProducerExpiryMs);
    const Offset start = partition->retention_start(now_ms);
    if (start != partition->log_start()) moved.emplace_back(partition, start);
  }
  if (auto done = move_starts(moved); !done) return std::unexpected(done.error());
  return {};
}

// True when there was something to move.
Result<bool> DiskLog::move_starts(std::span<const std::pair<PartitionPtr, Offset>> moved) {
  if (moved.empty()) return false;
  group_.clear();
  for (const auto& [partition, start] : moved) group_.add(TrimEntry{partition->id(), start});
  if (auto written = journal_.write(group_, {}, clock_.wall().count()); !written) {
    if (written.error().code == ErrorCode::disk_full) return std::unexpected(written.error());
    return died(written.error());
  }
  sealed_ = false;
  for (const auto& [partition, start] : moved) doom(partition->trim(start));
  journal_.after_publish();
  return true;
}

Result<bool> DiskLog::make_room() {
  MR_TRY(usable());
  if (options_.bugs.acknowledge_early) MR_TRY(write_late_group());
  std::optional<std::pair<PartitionPtr, Offset>> oldest;
  std::int64_t oldest_ms = 0;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, partition] : table_) {
      const auto segment = partition->oldest_to_give_up();
      if (!segment || (oldest && segment->last_append_ms >= oldest_ms)) continue;
      oldest.emplace(partition, segment->next);
      oldest_ms = segment->last_append_ms;
    }
  }
  if (!oldest) return false;
  log::warn("retention_gave_way", {{"partition", oldest->first->name().to_string()},
                                   {"log_start", oldest->second.value()},
                                   {"reason", "the disk is full"}});
  return move_starts({&*oldest, 1});
}

}  // namespace millrace::storage
