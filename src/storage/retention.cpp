// Retention by time and size. Thread: the log thread; files are unlinked by the segment writer.
#include "base/log.h"
#include "storage/disk_log.h"

namespace millrace::storage {
namespace {

constexpr std::int64_t kProducerExpiryMs = 86'400'000;  // Kafka's producer.id.expiration.ms

}  // namespace

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
  group_.clear();
  std::vector<std::pair<PartitionPtr, Offset>> moved;
  for (const PartitionPtr& partition : partitions) {
    partition->expire_producers(now_ms, kProducerExpiryMs);
    const Offset start = partition->retention_start(now_ms);
    if (start == partition->log_start()) continue;
    group_.add(TrimEntry{partition->id(), start});
    moved.emplace_back(partition, start);
  }
  if (moved.empty()) return {};
  if (auto written = journal_.write(group_, {}, clock_.wall().count()); !written) {
    if (written.error().code == ErrorCode::disk_full) return written;
    return died(written.error());
  }
  sealed_ = false;
  for (const auto& [partition, start] : moved) doom(partition->trim(start));
  journal_.after_publish();
  return {};
}

}  // namespace millrace::storage
