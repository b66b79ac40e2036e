// The course of a rebalance: join phase, SyncGroup, and members that leave or fall silent.
#include <algorithm>

#include "base/log.h"
#include "kafka/groups/coordinator.h"

namespace millrace::kafka {

void GroupCoordinator::begin_session(Now now, Member& member) {
  member.deadline = now.mono + member.session_timeout;
}

void GroupCoordinator::prepare_rebalance(Now now, Group& group) {
  // Whoever waits for an assignment of the old generation has to join again.
  if (group.state() == GroupState::completing_rebalance)
    reset_assignments(now, group, KafkaError::rebalance_in_progress);
  group.sync_deadline.reset();
  Group::JoinPhase phase;
  const std::chrono::milliseconds longest = group.rebalance_timeout();
  if (group.state() == GroupState::empty) {
    // The first member seldom comes alone (KIP-134).
    phase.initial = true;
    phase.deadline = now.mono + settings_.initial_rebalance_delay;
    phase.remaining = std::max(longest - settings_.initial_rebalance_delay, std::chrono::milliseconds(0));
  } else {
    phase.deadline = now.mono + longest;
  }
  group.join_phase = phase;
  group.move_to(GroupState::preparing_rebalance, now.wall);
  maybe_complete_join(now, group);
}

void GroupCoordinator::maybe_complete_join(Now now, Group& group) {
  if (!group.join_phase) return;
  // Nobody has come and stayed: there is no first generation to wait for, and an administrator may commit for the group
  // (a stopped sink connector's offsets are altered in that moment).
  const bool deserted = group.members().empty() && group.pending().empty();
  if (group.join_phase->initial && !deserted) return;
  if (group.all_joined()) complete_join(now, group);
}

void GroupCoordinator::on_join_deadline(Now now, Group& group) {
  Group::JoinPhase& phase = *group.join_phase;
  if (phase.initial && phase.member_added && phase.remaining.count() > 0) {
    const auto delay = std::min(settings_.initial_rebalance_delay, phase.remaining);
    phase.member_added = false;
    phase.remaining -= delay;
    phase.deadline = now.mono + delay;
    return;
  }
  complete_join(now, group);
}

void GroupCoordinator::complete_join(Now now, Group& group) {
  std::vector<std::string> absent;
  for (const auto& [id, member] : group.members()) {
    if (!member.awaiting_join && !member.instance_id) absent.push_back(id);
  }
  for (const std::string& id : absent) group.remove(id);
  if (!group.members().empty() && !group.elect_joined_leader()) {
    // Only static members are left, and none has come: wait until their sessions end.
    group.join_phase = Group::JoinPhase{.deadline = now.mono + group.rebalance_timeout()};
    return;
  }
  group.join_phase.reset();
  group.begin_generation(now.wall);
  ++counts_.rebalances;
  log::info("group_rebalanced",
            {{"group", group.id()}, {"generation", group.generation()}, {"members", group.members().size()}});
  if (group.members().empty()) return store_group(group, {}, [](Now, KafkaError) {});
  for (auto& [id, member] : group.members()) {
    member.fresh = false;
    member.sync_pending = true;
    begin_session(now, member);
    answer(group.take_join(member), current_generation(group, id, group.is_leader(id)));
  }
  group.sync_deadline = now.mono + group.rebalance_timeout();
}

void GroupCoordinator::store_group(Group& group, const std::vector<MemberAssignment>& assignments,
                                   GroupStore::Stored stored) {
  std::vector<GroupRecord> records;
  records.push_back(group_record(group.id(), group.to_store(assignments)));
  store_.store(group.id(), std::move(records), std::move(stored));
}

void GroupCoordinator::sync(Now now, SyncGroup request, Reply<SyncGroupResult> reply) {
  const auto refuse = [&](KafkaError error) { answer(std::move(reply), SyncGroupResult{.error = error}); };
  if (request.group.empty()) return refuse(KafkaError::invalid_group_id);
  if (stopped_) return refuse(KafkaError::not_coordinator);
  const GroupPtr group = find(request.group);
  if (!group) return refuse(KafkaError::unknown_member_id);
  if (const KafkaError error = check_member(*group, request.member_id, request.instance_id);
      error != KafkaError::none) {
    return refuse(error);
  }
  if (request.generation != group->generation()) return refuse(KafkaError::illegal_generation);
  const bool other_type = request.protocol_type && request.protocol_type != group->protocol_type();
  const bool other_protocol = request.protocol && request.protocol != group->protocol();
  if (other_type || other_protocol) return refuse(KafkaError::inconsistent_group_protocol);
  Member& member = *group->find(request.member_id);
  switch (group->state()) {
    case GroupState::empty:
    case GroupState::dead:
      return refuse(KafkaError::unknown_member_id);
    case GroupState::preparing_rebalance:
      return refuse(KafkaError::rebalance_in_progress);
    case GroupState::stable:
      member.sync_pending = false;
      begin_session(now, member);
      return answer(std::move(reply), SyncGroupResult{.error = KafkaError::none,
                                                      .protocol_type = group->protocol_type(),
                                                      .protocol = group->protocol(),
                                                      .assignment = member.assignment});
    case GroupState::completing_rebalance:
      break;
  }
  answer(std::exchange(member.awaiting_sync, nullptr), SyncGroupResult{.error = KafkaError::rebalance_in_progress});
  member.awaiting_sync = std::move(reply);
  member.sync_pending = false;
  if (!group->is_leader(member.id)) return;
  const std::int32_t generation = group->generation();
  if (bugs_.hand_out_before_store) {
    store_group(*group, request.assignments, [](Now, KafkaError) {});
    return hand_out(now, *group, request.assignments);
  }
  store_group(*group, request.assignments,
              [this, group, generation, assignments = request.assignments](Now later, KafkaError error) {
                finish_sync(later, *group, generation, assignments, error);
              });
}

void GroupCoordinator::finish_sync(Now now, Group& group, std::int32_t generation,
                                   const std::vector<MemberAssignment>& assignments, KafkaError error) {
  // Another rebalance may have begun; then nobody waits for this any more.
  if (group.state() != GroupState::completing_rebalance || group.generation() != generation) return;
  if (error == KafkaError::none) return hand_out(now, group, assignments);
  reset_assignments(now, group, error);
  prepare_rebalance(now, group);
  arm(group);
}

void GroupCoordinator::hand_out(Now now, Group& group, const std::vector<MemberAssignment>& assignments) {
  for (auto& [id, member] : group.members()) member.assignment.clear();
  for (const MemberAssignment& one : assignments) {
    if (Member* member = group.find(one.member_id)) member->assignment = one.assignment;
  }
  group.move_to(GroupState::stable, now.wall);
  for (auto& [id, member] : group.members()) {
    if (!member.awaiting_sync) continue;
    begin_session(now, member);
    answer(std::exchange(member.awaiting_sync, nullptr), SyncGroupResult{.error = KafkaError::none,
                                                                         .protocol_type = group.protocol_type(),
                                                                         .protocol = group.protocol(),
                                                                         .assignment = member.assignment});
  }
  arm(group);
}

void GroupCoordinator::reset_assignments(Now now, Group& group, KafkaError error) {
  for (auto& [id, member] : group.members()) {
    member.assignment.clear();
    if (!member.awaiting_sync) continue;
    begin_session(now, member);
    answer(std::exchange(member.awaiting_sync, nullptr), SyncGroupResult{.error = error});
  }
}

// Members that joined and never asked for their assignment hold everybody up: they go.
void GroupCoordinator::on_sync_deadline(Now now, Group& group) {
  group.sync_deadline.reset();
  std::vector<std::string> silent;
  for (const auto& [id, member] : group.members()) {
    if (member.sync_pending) silent.push_back(id);
  }
  if (silent.empty()) return;
  for (const std::string& id : silent) dismiss(group, id);
  counts_.members_expired += silent.size();
  if (group.can_rebalance()) prepare_rebalance(now, group);
}

void GroupCoordinator::dismiss(Group& group, std::string_view member_id) {
  Member& member = *group.find(member_id);
  // Whoever waits is told to begin again, should it still be there.
  answer(group.take_join(member), JoinGroupResult{.error = KafkaError::unknown_member_id});
  answer(std::exchange(member.awaiting_sync, nullptr), SyncGroupResult{.error = KafkaError::unknown_member_id});
  group.remove(member_id);
}

void GroupCoordinator::remove_member(Now now, Group& group, const std::string& member_id) {
  dismiss(group, member_id);
  if (group.state() == GroupState::preparing_rebalance) return maybe_complete_join(now, group);
  if (group.state() != GroupState::empty) prepare_rebalance(now, group);
}

void GroupCoordinator::remove_pending(Now now, Group& group, const std::string& member_id) {
  group.remove(member_id);
  if (group.state() == GroupState::preparing_rebalance) maybe_complete_join(now, group);
}

void GroupCoordinator::expire_members(Now now, Group& group) {
  std::vector<std::string> pending;
  for (const auto& [id, until] : group.pending()) {
    if (until <= now.mono) pending.push_back(id);
  }
  for (const std::string& id : pending) remove_pending(now, group, id);
  std::vector<std::string> silent;
  for (const auto& [id, member] : group.members()) {
    if (member.can_expire() && member.deadline <= now.mono) silent.push_back(id);
  }
  for (const std::string& id : silent) {
    const Member* member = group.find(id);  // the rebalance may have taken it away, or called it
    if (member == nullptr || !member->can_expire() || member->deadline > now.mono) continue;
    ++counts_.members_expired;
    log::info("group_member_expired", {{"group", group.id()}, {"member", id}});
    remove_member(now, group, id);
  }
}

}  // namespace millrace::kafka
