// Committed offsets: who may commit, when it counts, what survives, what expires.
#include "kafka/testing/group_fixture.h"

namespace millrace::kafka::testing {
namespace {

using CommittedOffsets = GroupFixture;

constexpr std::chrono::hours kDay{24};

TEST_F(CommittedOffsets, SimpleConsumerCommitsWithoutMembership) {
  EXPECT_EQ(committed(), -1);
  EXPECT_EQ(commit(5).take().at(0), KafkaError::none);
  EXPECT_EQ(committed(), 5);
  EXPECT_EQ(describe().state, GroupState::empty);
  restart();
  EXPECT_EQ(committed(), 5);
}

TEST_F(CommittedOffsets, CountOnlyWhenStored) {
  hold = true;
  auto waiting = commit(5);
  EXPECT_FALSE(waiting.has());
  EXPECT_EQ(committed(), -1);
  store.settle(now, KafkaError::not_coordinator);
  settle();
  EXPECT_EQ(waiting.take().at(0), KafkaError::not_coordinator);
  EXPECT_EQ(committed(), -1);
  hold = false;
  EXPECT_EQ(commit(6).take().at(0), KafkaError::none);
  EXPECT_EQ(committed(), 6);
}

TEST_F(CommittedOffsets, OnlyMembersOfThisGenerationCommit) {
  EXPECT_EQ(commit(1, "nobody", 3).take().at(0), KafkaError::illegal_generation);
  const Pair pair = stable_pair();
  EXPECT_EQ(commit(1).take().at(0), KafkaError::unknown_member_id);
  EXPECT_EQ(commit(1, pair.leader, pair.generation - 1).take().at(0), KafkaError::illegal_generation);
  EXPECT_EQ(commit(1, "nobody", pair.generation).take().at(0), KafkaError::unknown_member_id);
  EXPECT_EQ(commit(1, pair.leader, pair.generation).take().at(0), KafkaError::none);
  auto third = join(join_request());
  EXPECT_EQ(commit(2, pair.leader, pair.generation).take().at(0), KafkaError::none) << "it still has its partitions";
  auto leader = join(join_request(pair.leader));
  auto follower = join(join_request(pair.follower));
  EXPECT_EQ(commit(3, pair.leader, pair.generation + 1).take().at(0), KafkaError::rebalance_in_progress);
  EXPECT_EQ(committed(), 2);
}

TEST_F(CommittedOffsets, MetadataHasALimit) {
  OffsetCommit request{.group = "g"};
  request.entries.push_back({{"t", 0}, {.offset = 1, .metadata = std::string(4097, 'x')}});
  request.entries.push_back({{"t", 1}, {.offset = 1, .metadata = "short"}});
  EXPECT_EQ(ask<OffsetCommitResult>(&GroupCoordinator::commit, request).take(),
            (OffsetCommitResult{KafkaError::offset_metadata_too_large, KafkaError::none}));
  EXPECT_EQ(committed(0), -1);
  EXPECT_EQ(committed(1), 1);
}

TEST_F(CommittedOffsets, DeleteTakesAnEmptyGroupAndAllItHas) {
  EXPECT_EQ(ask<KafkaError>(&GroupCoordinator::delete_group, DeleteGroup{"g"}).take(), KafkaError::group_id_not_found);
  const Pair pair = stable_pair();
  (void)commit(1, pair.leader, pair.generation).take();
  EXPECT_EQ(ask<KafkaError>(&GroupCoordinator::delete_group, DeleteGroup{"g"}).take(), KafkaError::non_empty_group);
  (void)leave({{pair.leader, {}, {}}, {pair.follower, {}, {}}});
  hold = true;
  auto late = commit(2);  // on its way when the group is deleted
  auto deleted = ask<KafkaError>(&GroupCoordinator::delete_group, DeleteGroup{"g"});
  EXPECT_FALSE(deleted.has());
  hold = false;
  settle();
  EXPECT_EQ(deleted.take(), KafkaError::none);
  EXPECT_EQ(describe().state, GroupState::dead);
  restart();
  EXPECT_EQ(describe().state, GroupState::dead);
  EXPECT_EQ(committed(), -1);
}

TEST_F(CommittedOffsets, DeletedOffsetsStayAwayButNotFromSubscribers) {
  const auto remove = [this](std::string topic) {
    return ask<OffsetDeleteResult>(&GroupCoordinator::delete_offsets, OffsetDelete{"g", {{std::move(topic), 0}}})
        .take();
  };
  EXPECT_EQ(remove("t").error, KafkaError::group_id_not_found);
  const Pair pair = stable_pair();
  (void)commit(1, pair.leader, pair.generation).take();
  (void)commit(1, pair.leader, pair.generation, 0, "old").take();
  EXPECT_EQ(remove("t").partitions.at(0), KafkaError::group_subscribed_to_topic);
  EXPECT_EQ(remove("old").partitions.at(0), KafkaError::none);
  EXPECT_EQ(committed(0, "old"), -1);
  restart();
  EXPECT_EQ(committed(0, "old"), -1);
  EXPECT_EQ(committed(0, "t"), 1);
}

TEST_F(CommittedOffsets, ExpireSevenDaysAfterTheGroupIsEmpty) {
  const Pair pair = stable_pair();
  (void)commit(1, pair.leader, pair.generation).take();
  for (int hours = 0; hours < 8 * 24 * 3600 / 9; ++hours) {  // members keep them, however old the commit
    advance(std::chrono::seconds(9));
    (void)heartbeat(pair.leader, pair.generation);
    (void)heartbeat(pair.follower, pair.generation);
  }
  EXPECT_EQ(committed(), 1);
  (void)leave({{pair.leader, {}, {}}, {pair.follower, {}, {}}});
  advance(6 * kDay);
  EXPECT_EQ(committed(), 1);
  advance(kDay + std::chrono::minutes(11));
  EXPECT_EQ(committed(), -1);
  EXPECT_EQ(describe().state, GroupState::dead);
  restart();
  EXPECT_EQ(describe().state, GroupState::dead);
}

TEST_F(CommittedOffsets, OfSimpleConsumersExpireAfterTheCommit) {
  (void)commit(1).take();
  advance(5 * kDay);
  (void)commit(1, "", -1, 1).take();
  advance(3 * kDay);
  EXPECT_EQ(committed(0), -1);
  EXPECT_EQ(committed(1), 1);
  restart();
  EXPECT_EQ(committed(0), -1);
  EXPECT_EQ(committed(1), 1);
}

TEST_F(CommittedOffsets, AnOldClientSaysHowLongItself) {
  OffsetCommit request{.group = "g", .retention = std::chrono::hours(1)};
  request.entries.push_back({{"t", 0}, {.offset = 1}});
  (void)ask<OffsetCommitResult>(&GroupCoordinator::commit, request).take();
  advance(std::chrono::minutes(50));
  EXPECT_EQ(committed(), 1);
  advance(std::chrono::minutes(30));
  EXPECT_EQ(committed(), -1);
}

TEST_F(CommittedOffsets, AnOldClientSaysForEver) {
  OffsetCommit request{.group = "g", .retention = std::chrono::milliseconds::max()};
  request.entries.push_back({{"t", 0}, {.offset = 1}});
  (void)ask<OffsetCommitResult>(&GroupCoordinator::commit, request).take();
  advance(30 * kDay);
  EXPECT_EQ(committed(), 1);
}

TEST_F(CommittedOffsets, GoWithTheirTopic) {
  (void)commit(1).take();
  (void)commit(2, "", -1, 0, "u").take();
  coordinator->topic_deleted(now, "t");
  settle();
  EXPECT_EQ(committed(0, "t"), -1);
  EXPECT_EQ(committed(0, "u"), 2);
  restart();
  EXPECT_EQ(committed(0, "t"), -1);
}

}  // namespace
}  // namespace millrace::kafka::testing
