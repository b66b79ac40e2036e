// Group: the state of one consumer group of the classic protocol: its members, generation, and committed offsets. It
// answers questions and keeps its own bookkeeping straight; what happens when is GroupCoordinator's. Kafka:
// GroupMetadata (ClassicGroup). Thread: its coordinator's.
//
//   Empty ──join──► PreparingRebalance ──all joined, or time──► CompletingRebalance ──leader's SyncGroup──► Stable
//     ▲                │   ▲    ▲                                     │                                       │
//     └──nobody left───┘   │    └────────join, leave, expiry──────────┘                                       │
//                          └──────────────────────────────────────────────────────────────────────────────────┘
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kafka/groups/group_records.h"
#include "kafka/groups/member.h"

namespace millrace::kafka {

/// One committed offset. A commit that is not durable yet counts in `pending` and is invisible.
struct OffsetEntry {
  std::optional<StoredOffset> stored = std::nullopt;
  std::uint32_t pending = 0;
};

class Group {
 public:
  explicit Group(std::string id) : id_(std::move(id)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] GroupState state() const { return state_; }
  void move_to(GroupState state, WallTime now);
  [[nodiscard]] bool can_rebalance() const {
    return state_ == GroupState::stable || state_ == GroupState::completing_rebalance || state_ == GroupState::empty;
  }

  // Members.
  [[nodiscard]] std::map<std::string, Member, std::less<>>& members() { return members_; }
  [[nodiscard]] const std::map<std::string, Member, std::less<>>& members() const { return members_; }
  [[nodiscard]] bool has(std::string_view member_id) const { return members_.contains(member_id); }
  [[nodiscard]] Member* find(std::string_view member_id);
  [[nodiscard]] const std::string* static_member(std::string_view instance_id) const;
  [[nodiscard]] const std::string& leader() const { return leader_; }
  [[nodiscard]] bool is_leader(std::string_view member_id) const { return leader_ == member_id; }
  /// Requires that its id and instance are new here. The first member gives the group its protocol type.
  Member& add(Member member, std::string_view protocol_type);
  /// Forgets the member (or pending member); the next one becomes leader. Whoever waits must have been answered.
  void remove(std::string_view member_id);
  /// The static member `old_id` goes on as `new_id`.
  Member& rename(const std::string& old_id, const std::string& new_id);
  void update(Member& member, std::vector<GroupProtocol> protocols, std::chrono::milliseconds rebalance_timeout,
              std::chrono::milliseconds session_timeout);
  void await_join(Member& member, Reply<JoinGroupResult> reply);
  [[nodiscard]] Reply<JoinGroupResult> take_join(Member& member);
  [[nodiscard]] std::size_t awaiting_join() const { return awaiting_join_; }
  [[nodiscard]] bool all_joined() const { return awaiting_join_ == members_.size() && pending_.empty(); }
  /// False when no member has joined. A leader that has not joined is replaced by one that has.
  bool elect_joined_leader();

  /// Ids given to members that have yet to come back with them (KIP-394), and until when.
  [[nodiscard]] std::map<std::string, MonoTime, std::less<>>& pending() { return pending_; }
  [[nodiscard]] bool is_pending(std::string_view member_id) const { return pending_.contains(member_id); }

  // Protocols and generations.
  [[nodiscard]] const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  [[nodiscard]] const std::optional<std::string>& protocol() const { return protocol_; }
  [[nodiscard]] std::int32_t generation() const { return generation_; }
  /// Whether a member with these could live with the ones that are here.
  [[nodiscard]] bool accepts(std::string_view protocol_type, const std::vector<GroupProtocol>& protocols) const;
  /// The protocol that all support and most prefer. Requires a member.
  [[nodiscard]] std::string choose_protocol() const;
  void begin_generation(WallTime now);
  [[nodiscard]] std::chrono::milliseconds rebalance_timeout() const;
  [[nodiscard]] std::vector<JoinedMember> joined_members() const;
  /// Of a consumer group: the topics its members subscribe to; none when that cannot be known.
  [[nodiscard]] const std::optional<std::set<std::string, std::less<>>>& subscribed_topics() const {
    return subscribed_topics_;
  }

  // The rebalance in progress.
  struct JoinPhase {
    MonoTime deadline{};
    bool initial = false;  // waits for more members, KIP-134
    bool member_added = false;
    std::chrono::milliseconds remaining{};
  };
  std::optional<JoinPhase> join_phase = std::nullopt;
  std::optional<MonoTime> sync_deadline = std::nullopt;

  /// The earliest time at which something here can expire; MonoTime::max() for none.
  [[nodiscard]] MonoTime deadline() const;

  // Committed offsets: topic, partition.
  using Offsets = std::map<std::string, std::map<std::int32_t, OffsetEntry>, std::less<>>;
  [[nodiscard]] Offsets& offsets() { return offsets_; }
  [[nodiscard]] const Offsets& offsets() const { return offsets_; }
  [[nodiscard]] OffsetEntry& offset_entry(const GroupPartition& partition);
  [[nodiscard]] const StoredOffset* find_offset(const GroupPartition& partition) const;
  /// Takes the stored value away; the entry stays while commits are pending.
  void forget_offset(const GroupPartition& partition);
  /// Drops the entry when nothing is stored nor pending.
  void tidy_offset(const GroupPartition& partition);
  /// KIP-211: what has expired by now.
  [[nodiscard]] std::vector<GroupPartition> expired_offsets(WallTime now, std::chrono::milliseconds retention) const;

  [[nodiscard]] StoredGroup to_store(const std::vector<MemberAssignment>& assignments) const;
  /// The group as it was stored; its sessions have yet to begin.
  void restore(const StoredGroup& stored);
  MonoTime armed = MonoTime::max();  // the coordinator's: when it will look at this group

 private:
  void count_protocols(const Member& member, int by);
  void find_subscribed_topics();

  std::string id_;
  GroupState state_ = GroupState::empty;
  std::int64_t state_time_ms_ = -1;
  std::map<std::string, Member, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id → member id
  std::map<std::string, MonoTime, std::less<>> pending_;
  std::map<std::string, std::size_t, std::less<>> protocol_support_;  // name → members
  std::size_t awaiting_join_ = 0;
  std::string leader_;
  std::int32_t generation_ = 0;
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_;
  std::optional<std::set<std::string, std::less<>>> subscribed_topics_;
  Offsets offsets_;
};

/// The topics in the metadata of a "consumer" member (ConsumerProtocolSubscription); nullopt when it is not one.
[[nodiscard]] std::optional<std::vector<std::string>> parse_subscription(std::string_view metadata);

inline constexpr std::string_view kConsumerProtocolType = "consumer";

}  // namespace millrace::kafka
