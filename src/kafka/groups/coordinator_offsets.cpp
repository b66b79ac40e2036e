// Committed offsets: commit, fetch, delete, expire.
#include <algorithm>

#include "base/log.h"
#include "kafka/groups/coordinator.h"

namespace millrace::kafka {

void GroupCoordinator::commit(Now now, OffsetCommit request, Reply<OffsetCommitResult> reply) {
  const auto refuse = [&](KafkaError error) {
    answer(std::move(reply), OffsetCommitResult(request.entries.size(), error));
  };
  if (stopped_) return refuse(KafkaError::not_coordinator);
  const bool simple = request.generation < 0 && request.member_id.empty() && !request.instance_id;
  GroupPtr group = find(request.group);
  if (!group) {
    if (request.generation >= 0) return refuse(KafkaError::illegal_generation);
    if (!simple) return refuse(KafkaError::unknown_member_id);
    group = find_or_make(request.group);
    if (!group) return refuse(KafkaError::coordinator_not_available);
  }
  if (simple) {
    // While a group has members, nobody else commits for it.
    if (group->state() != GroupState::empty) return refuse(KafkaError::unknown_member_id);
    return store_commit(now, group, std::move(request), std::move(reply));
  }
  const KafkaError error = check_member(*group, request.member_id, request.instance_id);
  if (error != KafkaError::none) return refuse(error);
  if (request.generation != group->generation() && !bugs_.ignore_generation) {
    return refuse(KafkaError::illegal_generation);
  }
  // It has joined this generation and does not know its assignment yet: what it commits is from before.
  if (group->state() == GroupState::completing_rebalance) return refuse(KafkaError::rebalance_in_progress);
  begin_session(now, *group->find(request.member_id));
  store_commit(now, group, std::move(request), std::move(reply));
}

void GroupCoordinator::store_commit(Now now, const GroupPtr& group, OffsetCommit request,
                                    Reply<OffsetCommitResult> reply) {
  OffsetCommitResult results(request.entries.size(), KafkaError::none);
  std::vector<GroupRecord> records;
  std::vector<std::pair<GroupPartition, StoredOffset>> stored;
  for (std::size_t i = 0; i < request.entries.size(); ++i) {
    OffsetCommit::Entry& entry = request.entries[i];
    if (entry.offset.metadata.size() > static_cast<std::size_t>(settings_.max_metadata_bytes)) {
      results[i] = KafkaError::offset_metadata_too_large;
      continue;
    }
    StoredOffset offset{.offset = std::move(entry.offset), .commit_time_ms = now.wall.count()};
    if (request.retention) {  // any number a client likes
      const auto most = WallTime::max() - std::max(now.wall, WallTime(0));
      offset.expire_time_ms = (now.wall + std::min<std::chrono::milliseconds>(*request.retention, most)).count();
    }
    OffsetEntry& current = group->offset_entry(entry.partition);
    ++current.pending;
    if (bugs_.show_pending_commit) current.stored = offset;
    records.push_back(offset_record(group->id(), entry.partition, offset));
    stored.emplace_back(std::move(entry.partition), std::move(offset));
  }
  if (records.empty()) return answer(std::move(reply), std::move(results));
  if (bugs_.acknowledge_commit_early) {
    answer(std::move(reply), OffsetCommitResult(results));
    reply = nullptr;
  }
  store_.store(group->id(), std::move(records),
               [this, group, stored = std::move(stored), results = std::move(results), reply = std::move(reply)](
                   Now, KafkaError error) mutable {
                 for (auto& [partition, offset] : stored) {
                   OffsetEntry& entry = group->offset_entry(partition);
                   if (entry.pending != 0) --entry.pending;
                   if (error == KafkaError::none) entry.stored = std::move(offset);
                   group->tidy_offset(partition);
                 }
                 counts_.commits += stored.size();
                 for (KafkaError& result : results) {
                   if (result == KafkaError::none) result = error;
                 }
                 answer(std::move(reply), std::move(results));
               });
}

void GroupCoordinator::fetch([[maybe_unused]] Now now, OffsetFetch request, Reply<OffsetFetchResult> reply) {
  OffsetFetchResult result;
  if (stopped_) {
    result.error = KafkaError::not_coordinator;
    return answer(std::move(reply), std::move(result));
  }
  const GroupPtr group = find(request.group);
  if (request.partitions) {
    for (GroupPartition& partition : *request.partitions) {
      const StoredOffset* found = group ? group->find_offset(partition) : nullptr;
      result.entries.push_back({std::move(partition), found == nullptr ? GroupOffset{} : found->offset});
    }
  } else if (group) {
    for (const auto& [topic, partitions] : group->offsets()) {
      for (const auto& [partition, entry] : partitions) {
        if (entry.stored) result.entries.push_back({{topic, partition}, entry.stored->offset});
      }
    }
  }
  answer(std::move(reply), std::move(result));
}

void GroupCoordinator::store_tombstones(const GroupPtr& group, std::vector<GroupPartition> partitions,
                                        GroupStore::Stored stored) {
  std::vector<GroupRecord> records;
  for (const GroupPartition& partition : partitions) records.push_back(offset_tombstone(group->id(), partition));
  if (bugs_.drop_tombstones) records.clear();
  // A commit that comes after this comes after it in the log too, so its value survives.
  store_.store(
      group->id(), std::move(records),
      [group, partitions = std::move(partitions), stored = std::move(stored)](Now later, KafkaError error) mutable {
        if (error == KafkaError::none) {
          for (const GroupPartition& partition : partitions) group->forget_offset(partition);
        }
        stored(later, error);
      });
}

void GroupCoordinator::delete_offsets([[maybe_unused]] Now now, OffsetDelete request, Reply<OffsetDeleteResult> reply) {
  const auto refuse = [&](KafkaError error) { answer(std::move(reply), OffsetDeleteResult{.error = error}); };
  if (request.group.empty()) return refuse(KafkaError::invalid_group_id);
  if (stopped_) return refuse(KafkaError::not_coordinator);
  const GroupPtr group = find(request.group);
  if (!group) return refuse(KafkaError::group_id_not_found);
  OffsetDeleteResult result{.partitions = std::vector(request.partitions.size(), KafkaError::none)};
  const bool empty = group->state() == GroupState::empty;
  if (!empty && group->protocol_type() != kConsumerProtocolType) return refuse(KafkaError::non_empty_group);
  std::vector<GroupPartition> wanted;
  for (std::size_t i = 0; i < request.partitions.size(); ++i) {
    GroupPartition& partition = request.partitions[i];
    const auto& subscribed = group->subscribed_topics();
    if (!empty && (!subscribed || subscribed->contains(partition.topic))) {
      result.partitions[i] = KafkaError::group_subscribed_to_topic;
    } else {
      wanted.push_back(std::move(partition));
    }
  }
  if (wanted.empty()) return answer(std::move(reply), std::move(result));
  store_tombstones(group, std::move(wanted),
                   [this, result = std::move(result), reply = std::move(reply)](Now, KafkaError error) mutable {
                     if (error != KafkaError::none) result = OffsetDeleteResult{.error = error};
                     answer(std::move(reply), std::move(result));
                   });
}

// Takes an empty group out of the world: tombstones for all it has, commits on their way included.
void GroupCoordinator::bury(Group& group, GroupStore::Stored stored) {
  std::vector<GroupRecord> records;
  for (const auto& [topic, partitions] : group.offsets()) {
    for (const auto& [partition, entry] : partitions)
      records.push_back(offset_tombstone(group.id(), {topic, partition}));
  }
  // A group that only ever kept offsets has no record of its own.
  if (group.protocol_type() || group.generation() > 0) records.push_back(group_tombstone(group.id()));
  if (bugs_.drop_tombstones) records.clear();
  group.move_to(GroupState::dead, WallTime(0));
  const std::string id = group.id();
  groups_.erase(id);  // `group` may be gone
  store_.store(id, std::move(records), std::move(stored));
}

void GroupCoordinator::delete_group([[maybe_unused]] Now now, DeleteGroup request, Reply<KafkaError> reply) {
  if (stopped_) return answer(std::move(reply), KafkaError::not_coordinator);
  const GroupPtr group = find(request.group);
  if (!group) return answer(std::move(reply), KafkaError::group_id_not_found);
  if (group->state() != GroupState::empty) return answer(std::move(reply), KafkaError::non_empty_group);
  bury(*group, [this, reply = std::move(reply)](Now, KafkaError error) mutable { answer(std::move(reply), error); });
}

void GroupCoordinator::topic_deleted([[maybe_unused]] Now now, std::string_view topic) {
  for (const auto& [id, group] : groups_) {
    const auto at = group->offsets().find(topic);
    if (at == group->offsets().end()) continue;
    std::vector<GroupPartition> gone;
    for (const auto& [partition, entry] : at->second) gone.push_back({at->first, partition});
    store_tombstones(group, std::move(gone), [](Now, KafkaError) {});
  }
}

void GroupCoordinator::expire_offsets(Now now) {
  std::vector<GroupPtr> groups;
  groups.reserve(groups_.size());
  for (const auto& [id, group] : groups_) groups.push_back(group);
  for (const GroupPtr& group : groups) {
    auto expired = group->expired_offsets(now.wall, settings_.offsets_retention());
    counts_.offsets_expired += expired.size();
    std::size_t kept = 0;
    for (const auto& [topic, partitions] : group->offsets()) kept += partitions.size();
    // Nothing left to remember, and nobody there: the group goes.
    if (group->state() == GroupState::empty && group->pending().empty() && kept == expired.size()) {
      log::info("group_expired", {{"group", group->id()}});
      bury(*group, [](Now, KafkaError) {});
    } else if (!expired.empty()) {
      store_tombstones(group, std::move(expired), [](Now, KafkaError) {});
    }
  }
}

}  // namespace millrace::kafka
