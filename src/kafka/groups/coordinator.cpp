#include "kafka/groups/coordinator.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace::kafka {

GroupCoordinator::GroupCoordinator(const GroupSettings& settings, GroupStore& store, Rng rng, SeededBugs bugs)
    : settings_(settings),
      max_members_(static_cast<std::size_t>(settings.max_members)),
      store_(store),
      rng_(rng),
      bugs_(bugs) {}

GroupCoordinator::GroupPtr GroupCoordinator::find(std::string_view id) const {
  const auto at = groups_.find(id);
  return at == groups_.end() ? nullptr : at->second;
}

GroupCoordinator::GroupPtr GroupCoordinator::find_or_make(const std::string& id) {
  if (GroupPtr group = find(id)) return group;
  if (groups_.size() >= static_cast<std::size_t>(settings_.max_groups)) return nullptr;
  return groups_.emplace(id, std::make_shared<Group>(id)).first->second;
}

// An instance must be the member that it was last; the member must be here.
KafkaError GroupCoordinator::check_member(const Group& group, std::string_view member_id,
                                          const std::optional<std::string>& instance_id) const {
  if (instance_id) {
    const std::string* current = group.static_member(*instance_id);
    if (current == nullptr) return KafkaError::unknown_member_id;
    return *current == member_id ? KafkaError::none : KafkaError::fenced_instance_id;
  }
  return group.has(member_id) ? KafkaError::none : KafkaError::unknown_member_id;
}

void GroupCoordinator::load_offset(const OffsetKey& key, std::optional<StoredOffset> value) {
  const auto at = groups_.find(key.group);
  if (!value) {
    if (at != groups_.end()) at->second->forget_offset(key.partition);
    return;
  }
  // What was stored is loaded however many groups there are: the limit is for new ones.
  auto& group =
      at != groups_.end() ? at->second : groups_.emplace(key.group, std::make_shared<Group>(key.group)).first->second;
  OffsetEntry& entry = group->offset_entry(key.partition);
  if (bugs_.apply_older_commit && entry.stored) return;
  entry.stored = std::move(value);
}

void GroupCoordinator::load_group(const GroupKey& key, std::optional<StoredGroup> value) {
  auto& group = groups_[key.group];
  // The last record counts, so each begins with a group as new, but for the offsets.
  auto fresh = std::make_shared<Group>(key.group);
  if (group) fresh->offsets().swap(group->offsets());
  if (value && bugs_.forget_generation) value->generation = 0;
  if (value) fresh->restore(*value);
  group = std::move(fresh);
}

void GroupCoordinator::finish_loading(Now now) {
  std::erase_if(groups_, [](const auto& one) {
    const Group& group = *one.second;
    return group.members().empty() && group.offsets().empty() && !group.protocol_type();
  });
  for (auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group->members()) begin_session(now, member);
    if (group->members().size() > max_members_) prepare_rebalance(now, *group);
    arm(*group);
  }
  next_expiry_ = now.mono + settings_.retention_check_interval;
}

void GroupCoordinator::heartbeat(Now now, Heartbeat request, Reply<KafkaError> reply) {
  const auto result = [&](KafkaError error) { answer(std::move(reply), error); };
  if (request.group.empty()) return result(KafkaError::invalid_group_id);
  if (stopped_) return result(KafkaError::not_coordinator);
  const GroupPtr group = find(request.group);
  if (!group) return result(KafkaError::unknown_member_id);
  if (const KafkaError error = check_member(*group, request.member_id, request.instance_id);
      error != KafkaError::none) {
    return result(error);
  }
  if (request.generation != group->generation()) return result(KafkaError::illegal_generation);
  if (group->state() == GroupState::empty) return result(KafkaError::unknown_member_id);
  begin_session(now, *group->find(request.member_id));
  result(group->state() == GroupState::preparing_rebalance ? KafkaError::rebalance_in_progress : KafkaError::none);
}

void GroupCoordinator::leave(Now now, LeaveGroup request, Reply<LeaveGroupResult> reply) {
  if (request.group.empty()) return answer(std::move(reply), LeaveGroupResult{KafkaError::invalid_group_id});
  if (stopped_) return answer(std::move(reply), LeaveGroupResult{KafkaError::not_coordinator});
  LeaveGroupResult result;
  const GroupPtr group = find(request.group);
  for (const LeavingMember& leaving : request.members) {
    KafkaError& error = result.members.emplace_back(KafkaError::unknown_member_id);
    if (!group) continue;
    if (leaving.member_id.empty()) {
      // An administrator removes a static member by its instance alone.
      const std::string* current = leaving.instance_id ? group->static_member(*leaving.instance_id) : nullptr;
      if (current == nullptr) continue;
      remove_member(now, *group, std::string(*current));
      error = KafkaError::none;
    } else if (group->is_pending(leaving.member_id)) {
      remove_pending(now, *group, leaving.member_id);
      error = KafkaError::none;
    } else {
      error = check_member(*group, leaving.member_id, leaving.instance_id);
      if (error == KafkaError::none) remove_member(now, *group, leaving.member_id);
    }
  }
  if (group) arm(*group);
  answer(std::move(reply), std::move(result));
}

void GroupCoordinator::describe([[maybe_unused]] Now now, DescribeGroup request, Reply<GroupDescription> reply) {
  GroupDescription description{.group = request.group};
  if (stopped_) {
    description.error = KafkaError::not_coordinator;
    return answer(std::move(reply), std::move(description));
  }
  const GroupPtr group = find(request.group);
  if (group) {
    const bool stable = group->state() == GroupState::stable;
    description.state = group->state();
    description.protocol_type = group->protocol_type().value_or("");
    if (stable) description.protocol = group->protocol().value_or("");
    for (const auto& [id, member] : group->members()) {
      DescribedMember& one = description.members.emplace_back(
          DescribedMember{id, member.instance_id, member.client_id, member.client_host, {}, {}});
      if (!stable) continue;  // what they have and want is being negotiated
      if (const std::string* metadata = member.metadata_for(description.protocol)) one.metadata = *metadata;
      one.assignment = member.assignment;
    }
  }
  answer(std::move(reply), std::move(description));
}

void GroupCoordinator::list([[maybe_unused]] Now now, [[maybe_unused]] ListGroups request,
                            Reply<ListGroupsResult> reply) {
  ListGroupsResult result;
  if (stopped_) result.error = KafkaError::coordinator_not_available;
  for (const auto& [id, group] : groups_) {
    result.groups.push_back({id, group->protocol_type().value_or(""), group->state()});
  }
  answer(std::move(reply), std::move(result));
}

void GroupCoordinator::arm(Group& group) {
  const MonoTime at = group.deadline();
  if (at >= group.armed) return;  // looked at early enough, and armed again then
  group.armed = at;
  alarms_.push({at, group.id()});
}

MonoTime GroupCoordinator::deadline() const {
  if (groups_.empty()) return MonoTime::max();
  return alarms_.empty() ? next_expiry_ : std::min(alarms_.top().at, next_expiry_);
}

void GroupCoordinator::on_time(Now now) {
  if (stopped_) return;
  while (!alarms_.empty() && alarms_.top().at <= now.mono) {
    const Alarm alarm = alarms_.top();
    alarms_.pop();
    const GroupPtr group = find(alarm.group);
    if (!group || group->armed != alarm.at) continue;
    group->armed = MonoTime::max();
    expire_members(now, *group);
    if (group->join_phase && group->join_phase->deadline <= now.mono) on_join_deadline(now, *group);
    if (group->sync_deadline && *group->sync_deadline <= now.mono) on_sync_deadline(now, *group);
    arm(*group);
  }
  if (next_expiry_ <= now.mono) {
    next_expiry_ = now.mono + settings_.retention_check_interval;
    expire_offsets(now);
  }
}

void GroupCoordinator::stop() {
  stopped_ = true;
  for (auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group->members()) {
      answer(group->take_join(member), JoinGroupResult{.error = KafkaError::not_coordinator, .member_id = member_id});
      answer(std::exchange(member.awaiting_sync, nullptr), SyncGroupResult{.error = KafkaError::not_coordinator});
    }
  }
}

}  // namespace millrace::kafka
