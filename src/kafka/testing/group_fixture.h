// GroupFixture: a GroupCoordinator with a store in memory and a clock turned by hand. Stored records become durable
// with settle(), or at once unless `hold` is set; restart() is a crash and a load of what was durable.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/groups/coordinator.h"

namespace millrace::kafka::testing {

class MemoryGroupStore final : public GroupStore {
 public:
  void store(std::string_view group, std::vector<GroupRecord> records, Stored stored) override {
    (void)group;
    waiting_.push_back({std::move(records), std::move(stored)});
  }
  /// Makes what waits durable, or fails it; true when there was something.
  bool settle(Now now, KafkaError error = KafkaError::none) {
    const bool some = !waiting_.empty();
    for (auto& [records, stored] : std::exchange(waiting_, {})) {
      if (error == KafkaError::none) durable.insert(durable.end(), records.begin(), records.end());
      stored(now, error);
    }
    return some;
  }
  void forget() { waiting_.clear(); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  std::vector<GroupRecord> durable;

 private:
  std::vector<std::pair<std::vector<GroupRecord>, Stored>> waiting_;
};

/// The answer of one request, when it has come.
template <class Result>
struct Answer {
  std::shared_ptr<std::optional<Result>> slot = std::make_shared<std::optional<Result>>();
  [[nodiscard]] bool has() const { return slot->has_value(); }
  Result take() {
    EXPECT_TRUE(has());
    Result result = slot->value_or(Result{});
    slot->reset();
    return result;
  }
  Reply<Result> reply() {
    return [at = slot](Result result) {
      EXPECT_FALSE(at->has_value()) << "answered twice";
      *at = std::move(result);
    };
  }
};

class GroupFixture : public ::testing::Test {
 protected:
  GroupFixture() { make(); }
  void make() {
    coordinator = std::make_unique<GroupCoordinator>(settings, store, Rng(7));
    for (const GroupRecord& record : store.durable) load(record);
    coordinator->finish_loading(now);
  }
  void restart() {
    store.forget();
    coordinator.reset();
    make();
  }
  void load(const GroupRecord& record) {
    const GroupRecordKey key = parse_group_key(as_bytes(record.key)).value();
    if (const auto* offset = std::get_if<OffsetKey>(&key)) {
      std::optional<StoredOffset> value;
      if (record.value) value = parse_offset_value(as_bytes(*record.value)).value();
      coordinator->load_offset(*offset, std::move(value));
    } else if (const auto* group = std::get_if<GroupKey>(&key)) {
      std::optional<StoredGroup> value;
      if (record.value) value = parse_group_value(as_bytes(*record.value)).value();
      coordinator->load_group(*group, std::move(value));
    }
  }
  /// Hands out answers; makes records durable unless they are held.
  void settle() {
    bool more = true;
    while (more) {
      more = !hold && store.settle(now);
      for (auto& answer : coordinator->take_answers()) answer();
    }
  }
  void advance(std::chrono::milliseconds by) {
    const MonoTime until = now.mono + by;
    while (coordinator->deadline() <= until) {
      const MonoTime at = std::max(coordinator->deadline(), now.mono);
      now.wall += std::chrono::duration_cast<WallTime>(at - now.mono);
      now.mono = at;
      coordinator->on_time(now);
      settle();
    }
    now.wall += std::chrono::duration_cast<WallTime>(until - now.mono);
    now.mono = until;
  }

  template <class Result, class Request>
  Answer<Result> ask(void (GroupCoordinator::*event)(Now, Request, Reply<Result>), Request request) {
    Answer<Result> answer;
    (coordinator.get()->*event)(now, std::move(request), answer.reply());
    settle();
    return answer;
  }
  static JoinGroup join_request(std::string member_id = {}) {
    return {.group = "g",
            .member_id = std::move(member_id),
            .instance_id = std::nullopt,
            .client_id = "client",
            .client_host = "/127.0.0.1",
            .session_timeout = std::chrono::seconds(10),
            .rebalance_timeout = std::chrono::seconds(60),
            .protocol_type = "consumer",
            .protocols = {{"range", subscription({"t"})}},
            .needs_member_id = false,
            .can_skip_assignment = false,
            .reason = std::nullopt};
  }
  static JoinGroup static_join(std::string instance, std::string member_id = {}) {
    JoinGroup request = join_request(std::move(member_id));
    request.instance_id = std::move(instance);
    return request;
  }
  /// ConsumerProtocolSubscription version 0.
  static std::string subscription(const std::vector<std::string>& topics) {
    std::string text("\0\0\0\0\0", 5);
    text += static_cast<char>(topics.size());
    for (const std::string& topic : topics) {
      text += '\0';
      text += static_cast<char>(topic.size());
      text += topic;
    }
    return text + std::string("\xFF\xFF\xFF\xFF", 4);
  }
  auto join(JoinGroup request) { return ask<JoinGroupResult>(&GroupCoordinator::join, std::move(request)); }
  auto sync(std::string member, std::int32_t generation, std::vector<MemberAssignment> assignments = {}) {
    return ask<SyncGroupResult>(&GroupCoordinator::sync, SyncGroup{.group = "g",
                                                                   .generation = generation,
                                                                   .member_id = std::move(member),
                                                                   .instance_id = std::nullopt,
                                                                   .protocol_type = std::nullopt,
                                                                   .protocol = std::nullopt,
                                                                   .assignments = std::move(assignments)});
  }
  KafkaError heartbeat(std::string member, std::int32_t generation, std::optional<std::string> instance = {}) {
    return ask<KafkaError>(&GroupCoordinator::heartbeat,
                           Heartbeat{"g", generation, std::move(member), std::move(instance)})
        .take();
  }
  LeaveGroupResult leave(std::vector<LeavingMember> members) {
    return ask<LeaveGroupResult>(&GroupCoordinator::leave, LeaveGroup{"g", std::move(members)}).take();
  }
  Answer<OffsetCommitResult> commit(std::int64_t offset, std::string member = {}, std::int32_t generation = -1,
                                    std::int32_t partition = 0, std::string topic = "t") {
    OffsetCommit request{.group = "g", .generation = generation, .member_id = std::move(member)};
    request.entries.push_back({{std::move(topic), partition}, {.offset = offset}});
    return ask<OffsetCommitResult>(&GroupCoordinator::commit, std::move(request));
  }
  std::int64_t committed(std::int32_t partition = 0, std::string topic = "t") {
    auto result = ask<OffsetFetchResult>(&GroupCoordinator::fetch,
                                         OffsetFetch{"g", std::vector<GroupPartition>{{std::move(topic), partition}}})
                      .take();
    return result.entries.at(0).offset.offset;
  }
  GroupDescription describe() { return ask<GroupDescription>(&GroupCoordinator::describe, DescribeGroup{"g"}).take(); }
  /// Two members in one generation, with assignments "0" and "1". The first one leads.
  struct Pair {
    std::string leader;
    std::string follower;
    std::int32_t generation = 0;
  };
  Pair stable_pair(JoinGroup one, JoinGroup two) {
    auto first = join(std::move(one));
    auto second = join(std::move(two));
    advance(std::chrono::seconds(3));
    JoinGroupResult a = first.take();
    JoinGroupResult b = second.take();
    if (a.leader != a.member_id) std::swap(a, b);
    EXPECT_EQ(a.members.size(), 2U);
    EXPECT_TRUE(b.members.empty());
    auto waiting = sync(b.member_id, b.generation);
    auto leading = sync(a.member_id, a.generation, {{a.member_id, "0"}, {b.member_id, "1"}});
    EXPECT_EQ(leading.take().assignment, "0");
    EXPECT_EQ(waiting.take().assignment, "1");
    return {a.member_id, b.member_id, a.generation};
  }
  Pair stable_pair() { return stable_pair(join_request(), join_request()); }

  GroupSettings settings;
  MemoryGroupStore store;
  Now now{MonoTime(std::chrono::hours(1)), WallTime(1'700'000'000'000)};
  bool hold = false;
  std::unique_ptr<GroupCoordinator> coordinator;
};

}  // namespace millrace::kafka::testing
