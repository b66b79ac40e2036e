// JoinGroup: who is let in, and when that begins a rebalance.
#include <algorithm>

#include "base/log.h"
#include "kafka/groups/coordinator.h"

namespace millrace::kafka {
namespace {

// Ids are at most so long, whatever clients call themselves.
constexpr std::size_t kMaxIdPrefix = 249;

JoinGroupResult refused(KafkaError error, std::string member_id = {}) {
  return {.error = error, .member_id = std::move(member_id)};
}

std::string uuid_text(Rng& rng) {
  const Uuid uuid = Uuid::from_random(rng(), rng());
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid.bytes[i] >> 4U];
    text += kDigits[uuid.bytes[i] & 0xFU];
  }
  return text;
}

}  // namespace

std::string GroupCoordinator::make_member_id(const JoinGroup& request) {
  const std::string_view prefix = request.instance_id ? *request.instance_id : std::string_view(request.client_id);
  return std::string(prefix.substr(0, kMaxIdPrefix)) + "-" + uuid_text(rng_);
}

JoinGroupResult GroupCoordinator::current_generation(const Group& group, const std::string& member_id,
                                                     bool with_members) {
  return {.error = KafkaError::none,
          .member_id = member_id,
          .generation = group.generation(),
          .protocol_type = group.protocol_type(),
          .protocol = group.protocol(),
          .leader = group.leader(),
          .skip_assignment = false,
          .members = with_members ? group.joined_members() : std::vector<JoinedMember>{}};
}

// Members that are waiting already always have room; the count of those who wait lets the last ones to come back be
// the ones left out.
bool GroupCoordinator::has_room(Group& group, std::string_view member_id) const {
  switch (group.state()) {
    case GroupState::empty:
    case GroupState::dead:
      return true;
    case GroupState::preparing_rebalance: {
      const Member* member = group.find(member_id);
      return (member != nullptr && member->awaiting_join) || group.awaiting_join() < max_members_;
    }
    case GroupState::completing_rebalance:
    case GroupState::stable:
      return group.has(member_id) || group.members().size() < max_members_;
  }
  return false;
}

void GroupCoordinator::join(Now now, JoinGroup request, Reply<JoinGroupResult> reply) {
  const auto refuse = [&](KafkaError error, std::string member_id) {
    answer(std::move(reply), refused(error, std::move(member_id)));
  };
  if (request.group.empty()) return refuse(KafkaError::invalid_group_id, request.member_id);
  if (stopped_) return refuse(KafkaError::not_coordinator, request.member_id);
  if (request.session_timeout < settings_.min_session_timeout ||
      request.session_timeout > settings_.max_session_timeout) {
    return refuse(KafkaError::invalid_session_timeout, request.member_id);
  }
  const bool unknown = request.member_id.empty();
  const GroupPtr group = unknown ? find_or_make(request.group) : find(request.group);
  if (!group) {
    return refuse(unknown ? KafkaError::coordinator_not_available : KafkaError::unknown_member_id, request.member_id);
  }
  if (!has_room(*group, request.member_id)) {
    if (group->has(request.member_id)) remove_member(now, *group, request.member_id);
    group->remove(request.member_id);  // it may be pending
    return refuse(KafkaError::group_max_size_reached, "");
  }
  if (unknown) {
    join_new(now, *group, request, reply);
  } else {
    join_known(now, *group, request, reply);
  }
  if (group->state() == GroupState::preparing_rebalance) maybe_complete_join(now, *group);
  arm(*group);
}

void GroupCoordinator::join_new(Now now, Group& group, JoinGroup& request, Reply<JoinGroupResult>& reply) {
  if (!group.accepts(request.protocol_type, request.protocols)) {
    return answer(std::move(reply), refused(KafkaError::inconsistent_group_protocol));
  }
  std::string id = make_member_id(request);
  if (request.instance_id) {
    const std::string* current = group.static_member(*request.instance_id);
    if (current == nullptr) return add_member(now, group, std::move(id), request, reply);
    return replace_static_member(now, find(group.id()), std::string(*current), std::move(id), request, reply);
  }
  if (!request.needs_member_id) return add_member(now, group, std::move(id), request, reply);
  if (group.pending().size() >= max_members_) {
    return answer(std::move(reply), refused(KafkaError::group_max_size_reached));
  }
  group.pending().emplace(id, now.mono + request.session_timeout);
  answer(std::move(reply), refused(KafkaError::member_id_required, std::move(id)));
}

void GroupCoordinator::join_known(Now now, Group& group, JoinGroup& request, Reply<JoinGroupResult>& reply) {
  if (!group.accepts(request.protocol_type, request.protocols)) {
    return answer(std::move(reply), refused(KafkaError::inconsistent_group_protocol, request.member_id));
  }
  if (group.is_pending(request.member_id)) {
    request.instance_id.reset();  // an id is only promised to dynamic members
    return add_member(now, group, request.member_id, request, reply);
  }
  if (const KafkaError error = check_member(group, request.member_id, request.instance_id); error != KafkaError::none) {
    return answer(std::move(reply), refused(error, request.member_id));
  }
  Member& member = *group.find(request.member_id);
  const bool changed = member.protocols != request.protocols;
  switch (group.state()) {
    case GroupState::preparing_rebalance:
      return update_and_rebalance(now, group, member, request, reply);
    case GroupState::completing_rebalance:
      // The same again is a member that missed its answer.
      if (changed) return update_and_rebalance(now, group, member, request, reply);
      return answer(std::move(reply), current_generation(group, member.id, group.is_leader(member.id)));
    case GroupState::stable:
      // The leader comes back when it sees new partitions, so it always begins a rebalance.
      if (changed || group.is_leader(member.id)) return update_and_rebalance(now, group, member, request, reply);
      return answer(std::move(reply), current_generation(group, member.id, false));
    case GroupState::empty:
    case GroupState::dead:
      return answer(std::move(reply), refused(KafkaError::unknown_member_id, request.member_id));
  }
}

// A client that asks again gave up the connection of its first request, or its patience.
void GroupCoordinator::wait_for_join(Group& group, Member& member, Reply<JoinGroupResult>& reply) {
  answer(group.take_join(member), refused(KafkaError::rebalance_in_progress, member.id));
  group.await_join(member, std::move(reply));
}

void GroupCoordinator::add_member(Now now, Group& group, std::string id, JoinGroup& request,
                                  Reply<JoinGroupResult>& reply) {
  if (group.join_phase && group.join_phase->initial) group.join_phase->member_added = true;
  Member& member = group.add({.id = std::move(id),
                              .instance_id = std::move(request.instance_id),
                              .client_id = std::move(request.client_id),
                              .client_host = std::move(request.client_host),
                              .rebalance_timeout = request.rebalance_timeout,
                              .session_timeout = request.session_timeout,
                              .protocols = std::move(request.protocols),
                              .assignment = {},
                              .fresh = true,
                              .deadline = now.mono + kNewMemberJoinTimeout},
                             request.protocol_type);
  wait_for_join(group, member, reply);
  log::debug("group_member_joins",
             {{"group", group.id()}, {"member", member.id}, {"reason", request.reason.value_or("not provided")}});
  if (group.can_rebalance()) prepare_rebalance(now, group);
}

void GroupCoordinator::update_and_rebalance(Now now, Group& group, Member& member, JoinGroup& request,
                                            Reply<JoinGroupResult>& reply) {
  group.update(member, std::move(request.protocols), request.rebalance_timeout, request.session_timeout);
  wait_for_join(group, member, reply);
  if (group.can_rebalance()) prepare_rebalance(now, group);
}

void GroupCoordinator::replace_static_member(Now now, const GroupPtr& group, const std::string& old_id,
                                             std::string new_id, JoinGroup& request, Reply<JoinGroupResult>& reply) {
  const std::string old_leader = group->leader();
  Member& old = *group->find(old_id);
  // Whoever still waits under the old id is fenced at once.
  answer(group->take_join(old), refused(KafkaError::fenced_instance_id, old_id));
  answer(std::exchange(old.awaiting_sync, nullptr), SyncGroupResult{.error = KafkaError::fenced_instance_id});
  if (bugs_.keep_replaced_member) new_id = old_id;
  Member& member = new_id == old_id ? old : group->rename(old_id, new_id);
  begin_session(now, member);
  group->update(member, std::move(request.protocols), request.rebalance_timeout, request.session_timeout);
  wait_for_join(*group, member, reply);
  switch (group->state()) {
    case GroupState::stable:
      // Nothing changes for the others, so there is no rebalance: the member takes up the assignment it had.
      if (group->protocol() == group->choose_protocol()) {
        return store_replaced_member(group, old_id, new_id, old_leader, request.can_skip_assignment);
      }
      return prepare_rebalance(now, *group);
    case GroupState::completing_rebalance:
      // The leader is assigning to the old id.
      return prepare_rebalance(now, *group);
    case GroupState::preparing_rebalance:
    case GroupState::empty:
    case GroupState::dead:
      return;
  }
}

void GroupCoordinator::store_replaced_member(const GroupPtr& group, const std::string& old_id,
                                             const std::string& new_id, const std::string& old_leader, bool can_skip) {
  std::vector<MemberAssignment> assignments;
  for (const auto& [id, member] : group->members()) assignments.push_back({id, member.assignment});
  store_group(*group, assignments, [=, this](Now now, KafkaError error) {
    Member* member = group->find(new_id);
    if (member == nullptr || !member->awaiting_join) return;
    if (group->state() != GroupState::stable) return;  // a rebalance began meanwhile, and will answer
    begin_session(now, *member);
    if (error != KafkaError::none) {
      Reply<JoinGroupResult> waiting = group->take_join(*member);
      if (new_id != old_id) begin_session(now, group->rename(new_id, old_id));
      JoinGroupResult failed = current_generation(*group, "", false);
      failed.error = error;
      failed.leader = old_leader;
      arm(*group);
      return answer(std::move(waiting), std::move(failed));
    }
    // Version 9 lets a leader know that it is one and has nothing to assign; earlier ones are told the old leader's
    // name, in which they do not recognise themselves.
    const bool leads = group->is_leader(new_id);
    JoinGroupResult result = current_generation(*group, new_id, can_skip && leads);
    result.skip_assignment = can_skip && leads;
    if (!can_skip) result.leader = old_leader;
    answer(group->take_join(*member), std::move(result));
    arm(*group);
  });
}

}  // namespace millrace::kafka
