// The committed offsets of a group, and when they expire (KIP-211).
#include "kafka/groups/group.h"

namespace millrace::kafka {

OffsetEntry& Group::offset_entry(const GroupPartition& partition) {
  return offsets_[partition.topic][partition.partition];
}

const StoredOffset* Group::find_offset(const GroupPartition& partition) const {
  const auto topic = offsets_.find(partition.topic);
  if (topic == offsets_.end()) return nullptr;
  const auto entry = topic->second.find(partition.partition);
  if (entry == topic->second.end() || !entry->second.stored) return nullptr;
  return &*entry->second.stored;
}

void Group::forget_offset(const GroupPartition& partition) {
  const auto topic = offsets_.find(partition.topic);
  if (topic == offsets_.end()) return;
  const auto entry = topic->second.find(partition.partition);
  if (entry == topic->second.end()) return;
  entry->second.stored.reset();
  tidy_offset(partition);
}

void Group::tidy_offset(const GroupPartition& partition) {
  const auto topic = offsets_.find(partition.topic);
  if (topic == offsets_.end()) return;
  const auto entry = topic->second.find(partition.partition);
  if (entry == topic->second.end() || entry->second.stored || entry->second.pending != 0) return;
  topic->second.erase(entry);
  if (topic->second.empty()) offsets_.erase(topic);
}

std::vector<GroupPartition> Group::expired_offsets(WallTime now, std::chrono::milliseconds retention) const {
  // Whose time counts: of an empty group the moment it became so; of a stable consumer group the commit's, for topics
  // that nobody subscribes to any more; of a group that was never more than offsets the commit's.
  const bool idle = protocol_type_ && state_ == GroupState::empty;
  const bool consuming = protocol_type_ == kConsumerProtocolType && state_ == GroupState::stable && subscribed_topics_;
  std::vector<GroupPartition> expired;
  if (protocol_type_ && !idle && !consuming) return expired;
  for (const auto& [topic, partitions] : offsets_) {
    if (consuming && subscribed_topics_->contains(topic)) continue;
    for (const auto& [partition, entry] : partitions) {
      if (!entry.stored || entry.pending != 0) continue;
      const bool since_empty = idle && state_time_ms_ >= 0;
      const std::int64_t base = since_empty ? state_time_ms_ : entry.stored->commit_time_ms;
      const std::int64_t until = entry.stored->expire_time_ms.value_or(base + retention.count());
      if (now.count() >= until) expired.push_back({topic, partition});
    }
  }
  return expired;
}

}  // namespace millrace::kafka
