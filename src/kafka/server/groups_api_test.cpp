// The group APIs over the wire, at their oldest and newest versions, and what is in the log afterwards.
#include <gmock/gmock.h>

#include "kafka/protocol/messages/delete_groups.h"
#include "kafka/protocol/messages/describe_groups.h"
#include "kafka/protocol/messages/find_coordinator.h"
#include "kafka/protocol/messages/heartbeat.h"
#include "kafka/protocol/messages/join_group.h"
#include "kafka/protocol/messages/leave_group.h"
#include "kafka/protocol/messages/list_groups.h"
#include "kafka/protocol/messages/offset_commit.h"
#include "kafka/protocol/messages/offset_delete.h"
#include "kafka/protocol/messages/offset_fetch.h"
#include "kafka/protocol/messages/sync_group.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

class GroupsApiTest : public ServerFixture {
 protected:
  template <class Response, class Message>
  Response ask_api(ApiKey key, std::int16_t version, const Message& message) {
    WireClient& client = connect();
    const auto id = client.send(key, version, message);
    executor.run();
    return client.take<Response>(key, version, id);
  }
  static OffsetCommitRequest commit_request(std::string_view group, std::int32_t partition, std::int64_t offset) {
    OffsetCommitRequest request;
    request.group_id = group;
    request.topics.push_back({"events", {{.partition_index = partition, .committed_offset = offset}}});
    return request;
  }
  std::int16_t commit(std::string_view group, std::int32_t partition, std::int64_t offset, std::int16_t version = 9) {
    return ask_api<OffsetCommitResponse>(ApiKey::offset_commit, version, commit_request(group, partition, offset))
        .topics.at(0)
        .partitions.at(0)
        .error_code;
  }
  struct Joined {
    std::string member;
    std::int32_t generation = 0;
  };
  // One member in a stable group.
  Joined join(std::string_view group, std::int16_t version) {
    WireClient& client = connect();
    JoinGroupRequest request;
    request.group_id = group;
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    if (version < 1) request.rebalance_timeout_ms = -1;
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", as_bytes("meta")});
    auto id = client.send(ApiKey::join_group, version, request);
    executor.run();
    std::string told;
    if (version >= 4) {
      const auto answer = client.take<JoinGroupResponse>(ApiKey::join_group, version, id);
      EXPECT_EQ(answer.error_code, 79);
      told = answer.member_id;
      request.member_id = told;
      id = client.send(ApiKey::join_group, version, request);
    }
    EXPECT_EQ(client.peek(), std::nullopt);
    executor.advance(std::chrono::seconds(1));
    const auto joined = client.take<JoinGroupResponse>(ApiKey::join_group, version, id);
    EXPECT_EQ(joined.error_code, 0);
    EXPECT_EQ(joined.leader, joined.member_id);
    EXPECT_EQ(joined.members.size(), 1U);
    Joined result{std::string(joined.member_id), joined.generation_id};
    SyncGroupRequest sync;
    sync.group_id = group;
    sync.generation_id = result.generation;
    sync.member_id = result.member;
    sync.assignments.push_back({result.member, as_bytes("all")});
    const std::int16_t sync_version = version == 0 ? 0 : 5;
    const auto synced = ask_api<SyncGroupResponse>(ApiKey::sync_group, sync_version, sync);
    EXPECT_EQ(synced.error_code, 0);
    EXPECT_EQ(as_text(synced.assignment), "all");
    return result;
  }
};

TEST_F(GroupsApiTest, ThisNodeCoordinatesEveryGroup) {
  const auto one = ask_api<FindCoordinatorResponse>(ApiKey::find_coordinator, 0, FindCoordinatorRequest{.key = "g"});
  EXPECT_EQ(one.error_code, 0);
  EXPECT_EQ(one.host, "127.0.0.1");
  EXPECT_EQ(one.port, 9092);
  FindCoordinatorRequest several;
  several.coordinator_keys = {"a", "b"};
  const auto both = ask_api<FindCoordinatorResponse>(ApiKey::find_coordinator, 5, several);
  ASSERT_EQ(both.coordinators.size(), 2U);
  EXPECT_EQ(both.coordinators[1].key, "b");
  EXPECT_EQ(both.coordinators[1].node_id, 1);
  several.key_type = 1;
  EXPECT_EQ(ask_api<FindCoordinatorResponse>(ApiKey::find_coordinator, 5, several).coordinators.at(0).error_code, 42);
}

TEST_F(GroupsApiTest, AMemberOfTheFirstAndOfTheLastVersion) {
  for (const std::int16_t version : {std::int16_t{0}, std::int16_t{9}}) {
    const std::string group = "group-" + std::to_string(version);
    const Joined joined = join(group, version);
    HeartbeatRequest heartbeat{.group_id = group, .generation_id = joined.generation, .member_id = joined.member};
    EXPECT_EQ(ask_api<HeartbeatResponse>(ApiKey::heartbeat, version == 0 ? 0 : 4, heartbeat).error_code, 0);
    heartbeat.generation_id = 77;
    EXPECT_EQ(ask_api<HeartbeatResponse>(ApiKey::heartbeat, version == 0 ? 0 : 4, heartbeat).error_code, 22);
    DescribeGroupsRequest describe;
    describe.groups = {group, "unknown"};
    const auto described = ask_api<DescribeGroupsResponse>(ApiKey::describe_groups, 5, describe);
    EXPECT_EQ(described.groups.at(0).group_state, "Stable");
    EXPECT_EQ(described.groups.at(0).protocol_data, "range");
    EXPECT_EQ(as_text(described.groups.at(0).members.at(0).member_assignment), "all");
    EXPECT_EQ(described.groups.at(1).group_state, "Dead");
    LeaveGroupRequest leave{.group_id = group};
    if (version == 0) {
      leave.member_id = joined.member;
    } else {
      leave.members.push_back({.member_id = joined.member});
      leave.members.push_back({.member_id = "nobody"});
    }
    const auto left = ask_api<LeaveGroupResponse>(ApiKey::leave_group, version == 0 ? 0 : 5, leave);
    EXPECT_EQ(left.error_code, 0);
    EXPECT_EQ(version == 0 ? 25 : left.members.at(1).error_code, 25);
  }
  const auto listed = ask_api<ListGroupsResponse>(ApiKey::list_groups, 5, ListGroupsRequest{});
  EXPECT_EQ(listed.groups.size(), 2U);
  EXPECT_EQ(listed.groups.at(0).group_type, "classic");
  ListGroupsRequest filter;
  filter.states_filter = {"stable"};
  EXPECT_TRUE(ask_api<ListGroupsResponse>(ApiKey::list_groups, 4, filter).groups.empty());
  filter.states_filter = {"EMPTY"};
  EXPECT_EQ(ask_api<ListGroupsResponse>(ApiKey::list_groups, 4, filter).groups.size(), 2U);
}

TEST_F(GroupsApiTest, CommittedOffsetsAreFetchedInEveryShape) {
  EXPECT_EQ(commit("g", 0, 5, 2), 0);
  EXPECT_EQ(commit("g", 1, 6, 9), 0);
  EXPECT_EQ(commit("g", 2, 7), 3) << "there is no such partition";
  OffsetFetchRequest some;
  some.group_id = "g";
  some.topics->push_back({"events", {0, 7}});
  const auto first = ask_api<OffsetFetchResponse>(ApiKey::offset_fetch, 1, some).topics.at(0).partitions;
  EXPECT_EQ(first.at(0).committed_offset, 5);
  EXPECT_EQ(first.at(1).committed_offset, -1);
  EXPECT_EQ(first.at(1).error_code, 0);
  OffsetFetchRequest all;
  all.group_id = "g";
  all.topics.reset();
  EXPECT_EQ(ask_api<OffsetFetchResponse>(ApiKey::offset_fetch, 7, all).topics.at(0).partitions.size(), 2U);
  OffsetFetchRequest several;
  several.topics = std::vector<OffsetFetchRequest::OffsetFetchRequestTopic>{};
  several.groups.push_back({.group_id = "g", .topics = std::nullopt});
  several.groups.push_back({.group_id = "other", .topics = std::nullopt});
  const auto found = ask_api<OffsetFetchResponse>(ApiKey::offset_fetch, 9, several).groups;
  EXPECT_EQ(found.at(0).topics.at(0).partitions.at(1).committed_offset, 6);
  EXPECT_TRUE(found.at(1).topics.empty());
}

TEST_F(GroupsApiTest, ACommitIsAnsweredWhenItIsDurable) {
  EXPECT_EQ(commit("g", 0, 1), 0);  // makes the topic
  log.hold_appends = true;
  WireClient& client = connect();
  const auto id = client.send(ApiKey::offset_commit, 9, commit_request("g", 0, 2));
  executor.run();
  EXPECT_EQ(client.peek(), std::nullopt);
  EXPECT_EQ(log.held(), 1U);
  const auto more = client.send(ApiKey::offset_commit, 9, commit_request("g", 0, 3));
  executor.run();
  EXPECT_EQ(log.held(), 1U) << "one append is in flight, the next one gathers";
  log.commit();
  executor.run();
  (void)client.take<OffsetCommitResponse>(ApiKey::offset_commit, 9, id);
  log.commit();
  executor.run();
  (void)client.take<OffsetCommitResponse>(ApiKey::offset_commit, 9, more);
}

TEST_F(GroupsApiTest, DeletedGroupsAndOffsetsAreGone) {
  EXPECT_EQ(commit("g", 0, 5), 0);
  EXPECT_EQ(commit("g", 1, 6), 0);
  OffsetDeleteRequest offsets{.group_id = "g"};
  offsets.topics.push_back({"events", {{0}, {9}}});
  const auto deleted = ask_api<OffsetDeleteResponse>(ApiKey::offset_delete, 0, offsets);
  EXPECT_EQ(deleted.topics.at(0).partitions.at(0).error_code, 0);
  EXPECT_EQ(deleted.topics.at(0).partitions.at(1).error_code, 3);
  OffsetFetchRequest all{.group_id = "g", .topics = std::nullopt};
  EXPECT_EQ(ask_api<OffsetFetchResponse>(ApiKey::offset_fetch, 5, all).topics.at(0).partitions.size(), 1U);
  DeleteGroupsRequest both;
  both.groups_names = {"g", "unknown"};
  const auto gone = ask_api<DeleteGroupsResponse>(ApiKey::delete_groups, 2, both);
  EXPECT_EQ(gone.results.at(0).error_code, 0);
  EXPECT_EQ(gone.results.at(1).error_code, 69);
  EXPECT_TRUE(ask_api<OffsetFetchResponse>(ApiKey::offset_fetch, 5, all).topics.empty());
}

TEST_F(GroupsApiTest, OffsetsOfADeletedTopicGo) {
  EXPECT_EQ(commit("g", 0, 5), 0);
  executor.advance(std::chrono::seconds(2));
  ASSERT_TRUE(log.remove("events"));
  ASSERT_TRUE(log.create({.name = "events", .partitions = 1}));
  executor.advance(std::chrono::seconds(2));
  OffsetFetchRequest all{.group_id = "g", .topics = std::nullopt};
  EXPECT_TRUE(ask_api<OffsetFetchResponse>(ApiKey::offset_fetch, 5, all).topics.empty());
}

TEST_F(GroupsApiTest, WhoeverWaitsIsAnsweredWhenTheServerStops) {
  WireClient& client = connect();
  JoinGroupRequest request{.group_id = "g", .session_timeout_ms = 10'000, .protocol_type = "consumer"};
  request.protocols.push_back({"range", {}});
  const auto id = client.send(ApiKey::join_group, 1, request);
  groups->stop();
  executor.run();
  EXPECT_EQ(client.take<JoinGroupResponse>(ApiKey::join_group, 1, id).error_code, 16);
}

TEST_F(GroupsApiTest, ALoadedServerKnowsEverything) {
  const Joined joined = join("g", 9);
  EXPECT_EQ(commit("simple", 0, 5), 0);
  EXPECT_EQ(commit("simple", 0, 6), 0);
  Groups again({&executor}, log, clock, registry, group_settings, 2, &executor);
  again.start();
  std::optional<Result<topics::CommittedOffsets>> early;
  again.fetch("simple", executor, [&](auto result) { early = std::move(result); });
  EXPECT_EQ(early->error().code, ErrorCode::unavailable) << "loading";
  executor.run();
  std::optional<topics::CommittedOffsets> offsets;
  again.fetch("simple", executor, [&](auto result) { offsets = std::move(*result); });
  ASSERT_TRUE(offsets);
  EXPECT_EQ(offsets->at({"events", PartitionIndex(0)}).offset, Offset(6));
  std::optional<KafkaError> alive;
  Reply<KafkaError> reply = [&](KafkaError error) { alive = error; };
  again.ask(&GroupCoordinator::heartbeat, Heartbeat{"g", joined.generation, joined.member, std::nullopt}, executor,
            std::move(reply));
  EXPECT_EQ(alive, KafkaError::none);
  again.stop();
  executor.run();
}

TEST_F(GroupsApiTest, TheProcessCommitsToo) {
  (void)endpoint();
  std::optional<Result<void>> done;
  groups->commit("connect-sink", {{{"events", PartitionIndex(1)}, {Offset(9), "m"}}}, executor,
                 [&](Result<void> result) { done = std::move(result); });
  executor.run();
  ASSERT_TRUE(done);
  EXPECT_TRUE(*done);
  OffsetFetchRequest all{.group_id = "connect-sink", .topics = std::nullopt};
  const auto fetched = ask_api<OffsetFetchResponse>(ApiKey::offset_fetch, 5, all);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).committed_offset, 9);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).metadata, "m");
  groups->commit("connect-sink", {{{"events", PartitionIndex(1)}, {Offset(-1)}}}, executor,
                 [&](Result<void> result) { done = std::move(result); });
  executor.run();
  EXPECT_EQ(done->error().code, ErrorCode::invalid_argument);
  (void)join("taken", 5);
  groups->commit("taken", {{{"events", PartitionIndex(1)}, {Offset(1)}}}, executor,
                 [&](Result<void> result) { done = std::move(result); });
  executor.run();
  EXPECT_EQ(done->error().code, ErrorCode::busy);
}

TEST_F(GroupsApiTest, MetricsTellLagAndMembers) {
  put({"a", "b", "c"});
  EXPECT_EQ(commit("g", 0, 1), 0);
  executor.advance(std::chrono::seconds(2));
  const std::string text = registry.prometheus_text();
  EXPECT_THAT(text,
              ::testing::HasSubstr(R"(millrace_kafka_group_lag_records{group="g",topic="events",partition="0"} 2)"));
  EXPECT_THAT(text, ::testing::HasSubstr(R"(millrace_kafka_group_state{group="g",state="Empty"} 1)"));
  EXPECT_THAT(text, ::testing::HasSubstr("millrace_kafka_group_offset_commits_total 1"));
}

}  // namespace
}  // namespace millrace::kafka::testing
