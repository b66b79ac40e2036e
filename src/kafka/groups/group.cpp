#include "kafka/groups/group.h"

#include <algorithm>

#include "base/assert.h"
#include "base/byte_reader.h"

namespace millrace::kafka {

std::string_view to_string(GroupState state) {
  switch (state) {
    case GroupState::preparing_rebalance:
      return "PreparingRebalance";
    case GroupState::completing_rebalance:
      return "CompletingRebalance";
    case GroupState::stable:
      return "Stable";
    case GroupState::dead:
      return "Dead";
    case GroupState::empty:
      return "Empty";
  }
  return "Dead";
}

std::optional<std::vector<std::string>> parse_subscription(std::string_view metadata) {
  ByteReader in(as_bytes(metadata));
  in.skip(sizeof(std::int16_t));  // the version; every one begins with the topics
  const auto count = in.be<std::int32_t>();
  if (count < 0 || !in.fits(static_cast<std::uint64_t>(count), sizeof(std::int16_t))) return std::nullopt;
  std::vector<std::string> topics;
  for (std::int32_t i = 0; i < count && in.ok(); ++i) {
    const auto size = in.be<std::int16_t>();
    if (size < 0) return std::nullopt;
    topics.emplace_back(in.text(static_cast<std::size_t>(size)));
  }
  if (!in.ok()) return std::nullopt;
  return topics;
}

void Group::move_to(GroupState state, WallTime now) {
  state_ = state;
  state_time_ms_ = now.count();
}

Member* Group::find(std::string_view member_id) {
  const auto at = members_.find(member_id);
  return at == members_.end() ? nullptr : &at->second;
}

const std::string* Group::static_member(std::string_view instance_id) const {
  const auto at = static_members_.find(instance_id);
  return at == static_members_.end() ? nullptr : &at->second;
}

void Group::count_protocols(const Member& member, int by) {
  std::set<std::string_view> counted;
  for (const GroupProtocol& protocol : member.protocols) {
    if (!counted.insert(protocol.name).second) continue;
    std::size_t& support = protocol_support_[protocol.name];
    support += static_cast<std::size_t>(by);
    if (support == 0) protocol_support_.erase(protocol.name);
  }
}

Member& Group::add(Member member, std::string_view protocol_type) {
  if (members_.empty()) protocol_type_ = protocol_type;
  if (leader_.empty()) leader_ = member.id;
  if (member.instance_id) {
    const bool is_new = static_members_.emplace(*member.instance_id, member.id).second;
    MR_ASSERT(is_new);
  }
  pending_.erase(member.id);
  count_protocols(member, 1);
  const auto [at, added] = members_.try_emplace(member.id, std::move(member));
  MR_ASSERT(added);
  return at->second;
}

void Group::remove(std::string_view member_id) {
  if (const auto waits = pending_.find(member_id); waits != pending_.end()) pending_.erase(waits);
  const auto at = members_.find(member_id);
  if (at == members_.end()) return;
  Member& member = at->second;
  if (member.awaiting_join) --awaiting_join_;
  count_protocols(member, -1);
  if (member.instance_id) static_members_.erase(*member.instance_id);
  const bool led = leader_ == member.id;
  members_.erase(at);
  if (led) leader_ = members_.empty() ? std::string() : members_.begin()->first;
}

Member& Group::rename(const std::string& old_id, const std::string& new_id) {
  auto node = members_.extract(old_id);
  MR_ASSERT(!node.empty());
  node.key() = new_id;
  node.mapped().id = new_id;
  if (leader_ == old_id) leader_ = new_id;
  static_members_[*node.mapped().instance_id] = new_id;
  return members_.insert(std::move(node)).position->second;
}

void Group::update(Member& member, std::vector<GroupProtocol> protocols, std::chrono::milliseconds rebalance_timeout,
                   std::chrono::milliseconds session_timeout) {
  count_protocols(member, -1);
  member.protocols = std::move(protocols);
  count_protocols(member, 1);
  member.rebalance_timeout = rebalance_timeout;
  member.session_timeout = session_timeout;
}

void Group::await_join(Member& member, Reply<JoinGroupResult> reply) {
  MR_ASSERT(!member.awaiting_join);
  member.awaiting_join = std::move(reply);
  ++awaiting_join_;
}

Reply<JoinGroupResult> Group::take_join(Member& member) {
  if (member.awaiting_join) --awaiting_join_;
  return std::exchange(member.awaiting_join, nullptr);
}

bool Group::elect_joined_leader() {
  const Member* leader = find(leader_);
  if (leader == nullptr) return false;
  if (leader->awaiting_join) return true;
  const auto joined = std::ranges::find_if(members_, [](const auto& one) { return bool(one.second.awaiting_join); });
  if (joined == members_.end()) return false;
  leader_ = joined->first;
  return true;
}

bool Group::accepts(std::string_view protocol_type, const std::vector<GroupProtocol>& protocols) const {
  if (state_ == GroupState::empty) return !protocol_type.empty() && !protocols.empty();
  if (protocol_type_ != protocol_type) return false;
  return std::ranges::any_of(protocols, [this](const GroupProtocol& protocol) {
    const auto at = protocol_support_.find(protocol.name);
    return at != protocol_support_.end() ? at->second == members_.size() : members_.empty();
  });
}

std::string Group::choose_protocol() const {
  // Each member votes for the first of its protocols that all members have.
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members_) {
    const auto first = std::ranges::find_if(member.protocols, [this](const GroupProtocol& protocol) {
      const auto at = protocol_support_.find(protocol.name);
      return at != protocol_support_.end() && at->second == members_.size();
    });
    if (first != member.protocols.end()) ++votes[first->name];
  }
  MR_ASSERT(!votes.empty());
  return std::string(std::ranges::max_element(votes, {}, [](const auto& one) { return one.second; })->first);
}

void Group::begin_generation(WallTime now) {
  // Signed overflow after two thousand million rebalances is not a case; the wire has 32 bits.
  ++generation_;
  for (auto& [id, member] : members_) member.sync_pending = false;
  if (members_.empty()) {
    protocol_.reset();
    move_to(GroupState::empty, now);
  } else {
    protocol_ = choose_protocol();
    move_to(GroupState::completing_rebalance, now);
  }
  find_subscribed_topics();
}

void Group::find_subscribed_topics() {
  subscribed_topics_.reset();
  if (members_.empty() && protocol_type_) {
    subscribed_topics_.emplace();
    return;
  }
  if (protocol_type_ != kConsumerProtocolType || !protocol_) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, member] : members_) {
    const std::string* metadata = member.metadata_for(*protocol_);
    auto subscribed = metadata == nullptr ? std::nullopt : parse_subscription(*metadata);
    if (!subscribed) return;
    topics.insert(subscribed->begin(), subscribed->end());
  }
  subscribed_topics_ = std::move(topics);
}

std::chrono::milliseconds Group::rebalance_timeout() const {
  std::chrono::milliseconds longest{0};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

std::vector<JoinedMember> Group::joined_members() const {
  std::vector<JoinedMember> joined;
  joined.reserve(members_.size());
  for (const auto& [id, member] : members_) {
    const std::string* metadata = protocol_ ? member.metadata_for(*protocol_) : nullptr;
    joined.push_back({id, member.instance_id, metadata == nullptr ? std::string() : *metadata});
  }
  return joined;
}

MonoTime Group::deadline() const {
  MonoTime earliest = MonoTime::max();
  for (const auto& [id, until] : pending_) earliest = std::min(earliest, until);
  for (const auto& [id, member] : members_) {
    if (member.can_expire()) earliest = std::min(earliest, member.deadline);
  }
  if (join_phase) earliest = std::min(earliest, join_phase->deadline);
  if (sync_deadline) earliest = std::min(earliest, *sync_deadline);
  return earliest;
}

StoredGroup Group::to_store(const std::vector<MemberAssignment>& assignments) const {
  std::map<std::string_view, std::string_view> by_member;
  for (const MemberAssignment& one : assignments) by_member[one.member_id] = one.assignment;
  StoredGroup stored{.protocol_type = protocol_type_.value_or(""),
                     .generation = generation_,
                     .protocol = protocol_,
                     .leader = leader_.empty() ? std::nullopt : std::optional(leader_),
                     .state_time_ms = state_time_ms_,
                     .members = {}};
  for (const auto& [id, member] : members_) {
    const std::string* metadata = protocol_ ? member.metadata_for(*protocol_) : nullptr;
    const auto assigned = by_member.find(id);
    stored.members.push_back(
        {.id = id,
         .instance_id = member.instance_id,
         .client_id = member.client_id,
         .client_host = member.client_host,
         .rebalance_timeout_ms = static_cast<std::int32_t>(member.rebalance_timeout.count()),
         .session_timeout_ms = static_cast<std::int32_t>(member.session_timeout.count()),
         .subscription = metadata == nullptr ? std::string() : *metadata,
         .assignment = assigned == by_member.end() ? std::string() : std::string(assigned->second)});
  }
  return stored;
}

void Group::restore(const StoredGroup& stored) {
  generation_ = stored.generation;
  protocol_ = stored.protocol;
  protocol_type_.reset();
  if (!stored.protocol_type.empty()) protocol_type_ = stored.protocol_type;
  for (const StoredMember& one : stored.members) {
    if (has(one.id) || (one.instance_id && static_member(*one.instance_id) != nullptr)) continue;
    add({.id = one.id,
         .instance_id = one.instance_id,
         .client_id = one.client_id,
         .client_host = one.client_host,
         .rebalance_timeout = std::chrono::milliseconds(one.rebalance_timeout_ms),
         .session_timeout = std::chrono::milliseconds(one.session_timeout_ms),
         .protocols = {{stored.protocol.value_or(""), one.subscription}},
         .assignment = one.assignment},
        stored.protocol_type);
  }
  if (stored.leader && has(*stored.leader)) leader_ = *stored.leader;
  state_ = members_.empty() ? GroupState::empty : GroupState::stable;
  state_time_ms_ = stored.state_time_ms;
  find_subscribed_topics();
}

}  // namespace millrace::kafka
