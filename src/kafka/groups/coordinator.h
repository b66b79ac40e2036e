// GroupCoordinator: consumer groups of the classic protocol as a state machine: events and times in; answers, records
// to be stored and the next deadline out. No I/O, no clock, no thread. Kafka: GroupCoordinator.scala of 3.x, whose
// answers it gives (KIP-62, 134, 211, 345, 389, 394, 429, 559, 800, 814).
//
// Invariants (research name I9): an assignment is handed out only after the generation it belongs to was stored, so no
// two members are given one partition in one generation, whatever crashes; a commit is answered, and seen by fetches,
// only after it was stored; a member of another generation commits nothing.
//
// Answers are gathered and handed out by take_answers(), never called in the middle of an event: an answer may bring
// the next request. Thread: its owner's.
#pragma once

#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/rng.h"
#include "kafka/groups/group.h"
#include "kafka/groups/group_settings.h"
#include "kafka/groups/seeded_bugs.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

/// Where a coordinator keeps its records. GroupLog in the program.
class GroupStore {
 public:
  virtual ~GroupStore() = default;
  using Stored = std::move_only_function<void(Now, KafkaError)>;
  /// Keeps all of `records`, or none and says why. `stored` is called later (never inside this call), in the order of
  /// the calls, and with none only when they are durable.
  virtual void store(std::string_view group, std::vector<GroupRecord> records, Stored stored) = 0;
};

class GroupCoordinator {
 public:
  /// What is counted, for metrics.
  struct Counts {
    std::uint64_t commits = 0;  // offsets committed
    std::uint64_t rebalances = 0;
    std::uint64_t members_expired = 0;
    std::uint64_t offsets_expired = 0;
  };
  using Groups = std::unordered_map<std::string, std::shared_ptr<Group>, topics::TransparentHash, std::equal_to<>>;

  GroupCoordinator(const GroupSettings& settings, GroupStore& store, Rng rng, SeededBugs bugs = {});

  // Loading: what the store holds, in its order, before anything else.
  void load_offset(const OffsetKey& key, std::optional<StoredOffset> value);
  void load_group(const GroupKey& key, std::optional<StoredGroup> value);
  void finish_loading(Now now);

  void join(Now now, JoinGroup request, Reply<JoinGroupResult> reply);
  void sync(Now now, SyncGroup request, Reply<SyncGroupResult> reply);
  void heartbeat(Now now, Heartbeat request, Reply<KafkaError> reply);
  void leave(Now now, LeaveGroup request, Reply<LeaveGroupResult> reply);
  void commit(Now now, OffsetCommit request, Reply<OffsetCommitResult> reply);
  void fetch(Now now, OffsetFetch request, Reply<OffsetFetchResult> reply);
  void delete_offsets(Now now, OffsetDelete request, Reply<OffsetDeleteResult> reply);
  void delete_group(Now now, DeleteGroup request, Reply<KafkaError> reply);
  void describe(Now now, DescribeGroup request, Reply<GroupDescription> reply);
  void list(Now now, ListGroups request, Reply<ListGroupsResult> reply);

  /// Forgets the offsets of a topic that was deleted.
  void topic_deleted(Now now, std::string_view topic);
  /// Everything that is due. Call it when deadline() has come; earlier does nothing.
  void on_time(Now now);
  [[nodiscard]] MonoTime deadline() const;
  /// Answers everybody who waits with NOT_COORDINATOR; their clients come back after the restart.
  void stop();

  /// The answers of the events so far, to be called in order.
  [[nodiscard]] std::vector<Task> take_answers() { return std::exchange(answers_, {}); }

  [[nodiscard]] const Groups& groups() const { return groups_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using GroupPtr = std::shared_ptr<Group>;

  template <class Result>
  void answer(Reply<Result> reply, Result result) {
    if (!reply) return;
    answers_.push_back([reply = std::move(reply), result = std::move(result)]() mutable { reply(std::move(result)); });
  }
  [[nodiscard]] GroupPtr find(std::string_view id) const;
  /// Null when there are too many.
  [[nodiscard]] GroupPtr find_or_make(const std::string& id);
  [[nodiscard]] KafkaError check_member(const Group& group, std::string_view member_id,
                                        const std::optional<std::string>& instance_id) const;

  // coordinator_join.cpp
  [[nodiscard]] bool has_room(Group& group, std::string_view member_id) const;
  void join_new(Now now, Group& group, JoinGroup& request, Reply<JoinGroupResult>& reply);
  void join_known(Now now, Group& group, JoinGroup& request, Reply<JoinGroupResult>& reply);
  void add_member(Now now, Group& group, std::string id, JoinGroup& request, Reply<JoinGroupResult>& reply);
  void replace_static_member(Now now, const GroupPtr& group, const std::string& old_id, std::string new_id,
                             JoinGroup& request, Reply<JoinGroupResult>& reply);
  void store_replaced_member(const GroupPtr& group, const std::string& old_id, const std::string& new_id,
                             const std::string& old_leader, bool can_skip);
  void update_and_rebalance(Now now, Group& group, Member& member, JoinGroup& request, Reply<JoinGroupResult>& reply);
  void wait_for_join(Group& group, Member& member, Reply<JoinGroupResult>& reply);
  [[nodiscard]] std::string make_member_id(const JoinGroup& request);
  [[nodiscard]] static JoinGroupResult current_generation(const Group& group, const std::string& member_id,
                                                          bool with_members);
  // coordinator_rebalance.cpp
  void prepare_rebalance(Now now, Group& group);
  void maybe_complete_join(Now now, Group& group);
  void complete_join(Now now, Group& group);
  void on_join_deadline(Now now, Group& group);
  void on_sync_deadline(Now now, Group& group);
  void dismiss(Group& group, std::string_view member_id);
  void remove_member(Now now, Group& group, const std::string& member_id);
  void remove_pending(Now now, Group& group, const std::string& member_id);
  void expire_members(Now now, Group& group);
  void finish_sync(Now now, Group& group, std::int32_t generation, const std::vector<MemberAssignment>& assignments,
                   KafkaError error);
  void hand_out(Now now, Group& group, const std::vector<MemberAssignment>& assignments);
  void reset_assignments(Now now, Group& group, KafkaError error);
  void store_group(Group& group, const std::vector<MemberAssignment>& assignments, GroupStore::Stored stored);
  static void begin_session(Now now, Member& member);
  // coordinator_offsets.cpp
  void store_commit(Now now, const GroupPtr& group, OffsetCommit request, Reply<OffsetCommitResult> reply);
  void store_tombstones(const GroupPtr& group, std::vector<GroupPartition> partitions, GroupStore::Stored stored);
  void bury(Group& group, GroupStore::Stored stored);
  void expire_offsets(Now now);

  void arm(Group& group);

  const GroupSettings settings_;
  const std::size_t max_members_;
  GroupStore& store_;
  Rng rng_;
  const SeededBugs bugs_;
  Groups groups_;
  Counts counts_;
  std::vector<Task> answers_;
  struct Alarm {
    MonoTime at;
    std::string group;
    bool operator>(const Alarm& other) const { return at > other.at; }
  };
  // An entry is only valid while its time is the one its group is armed for.
  std::priority_queue<Alarm, std::vector<Alarm>, std::greater<>> alarms_;
  MonoTime next_expiry_ = MonoTime::max();
  bool stopped_ = false;
};

}  // namespace millrace::kafka
