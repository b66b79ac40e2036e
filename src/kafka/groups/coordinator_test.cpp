// The classic group protocol against a store in memory: joining, generations, leaving, silence.
#include "kafka/groups/coordinator.h"

#include "kafka/testing/group_fixture.h"

namespace millrace::kafka::testing {
namespace {

using Coordinator = GroupFixture;

TEST_F(Coordinator, FirstGenerationWaitsForMoreMembers) {
  auto first = join(join_request());
  advance(std::chrono::milliseconds(499));
  EXPECT_FALSE(first.has());
  auto second = join(join_request());
  advance(std::chrono::milliseconds(2));
  EXPECT_FALSE(first.has()) << "a new member prolongs the wait (KIP-134)";
  advance(std::chrono::milliseconds(500));
  const JoinGroupResult a = first.take();
  const JoinGroupResult b = second.take();
  EXPECT_EQ(a.error, KafkaError::none);
  EXPECT_EQ(a.generation, 1);
  EXPECT_EQ(b.generation, 1);
  EXPECT_EQ(a.leader, b.leader);
  EXPECT_EQ(a.protocol, "range");
  EXPECT_EQ(a.members.size() + b.members.size(), 2U);
  EXPECT_NE(a.member_id, b.member_id);
  EXPECT_TRUE(a.member_id.starts_with("client-"));
}

TEST_F(Coordinator, GroupThatEverybodyLeftBeforeItsFirstGenerationIsEmptyAtOnce) {
  const std::string member = [&] {
    JoinGroup request = join_request();
    request.needs_member_id = true;
    return join(request).take().member_id;
  }();
  auto joined = join(join_request(member));
  EXPECT_EQ(commit(7).take().at(0), KafkaError::unknown_member_id);
  EXPECT_EQ(leave({{member, std::nullopt, std::nullopt}}).error, KafkaError::none);
  EXPECT_EQ(joined.take().error, KafkaError::unknown_member_id);
  EXPECT_EQ(describe().state, GroupState::empty);
  EXPECT_EQ(commit(7).take().at(0), KafkaError::none) << "an administrator alters the offsets of a stopped connector";
}

TEST_F(Coordinator, DynamicMemberIsToldItsIdFirst) {
  JoinGroup request = join_request();
  request.needs_member_id = true;
  const JoinGroupResult told = join(request).take();
  EXPECT_EQ(told.error, KafkaError::member_id_required);
  request.member_id = told.member_id;
  auto joined = join(request);
  advance(std::chrono::seconds(1));
  EXPECT_EQ(joined.take().member_id, told.member_id);
  request.member_id.clear();
  const std::string other = join(request).take().member_id;
  advance(std::chrono::seconds(11));
  request.member_id = other;
  EXPECT_EQ(join(request).take().error, KafkaError::unknown_member_id) << "the promise is kept for a session";
}

TEST_F(Coordinator, RefusesWhatCannotBe) {
  JoinGroup request = join_request();
  request.group.clear();
  EXPECT_EQ(join(request).take().error, KafkaError::invalid_group_id);
  request = join_request("nobody");
  EXPECT_EQ(join(request).take().error, KafkaError::unknown_member_id);
  request = join_request();
  request.session_timeout = std::chrono::milliseconds(5'999);
  EXPECT_EQ(join(request).take().error, KafkaError::invalid_session_timeout);
  request.session_timeout = std::chrono::minutes(31);
  EXPECT_EQ(join(request).take().error, KafkaError::invalid_session_timeout);
  request = join_request();
  request.protocols.clear();
  EXPECT_EQ(join(request).take().error, KafkaError::inconsistent_group_protocol);
  stable_pair();
  request = join_request();
  request.protocol_type = "connect";
  EXPECT_EQ(join(request).take().error, KafkaError::inconsistent_group_protocol);
  request = join_request();
  request.protocols = {{"sticky", "s"}};
  EXPECT_EQ(join(request).take().error, KafkaError::inconsistent_group_protocol);
}

TEST_F(Coordinator, AssignmentIsHandedOutOnlyWhenStored) {
  auto joined = join(join_request());
  advance(std::chrono::seconds(1));
  const JoinGroupResult member = joined.take();
  hold = true;
  auto synced = sync(member.member_id, member.generation, {{member.member_id, "all"}});
  EXPECT_FALSE(synced.has());
  EXPECT_EQ(describe().state, GroupState::completing_rebalance);
  hold = false;
  settle();
  const SyncGroupResult result = synced.take();
  EXPECT_EQ(result.assignment, "all");
  EXPECT_EQ(result.protocol, "range");
  EXPECT_EQ(describe().state, GroupState::stable);
  EXPECT_EQ(describe().members.at(0).assignment, "all");
}

TEST_F(Coordinator, FailedStoreBeginsAnotherRebalance) {
  auto joined = join(join_request());
  advance(std::chrono::seconds(1));
  const JoinGroupResult member = joined.take();
  hold = true;
  auto synced = sync(member.member_id, member.generation, {{member.member_id, "all"}});
  store.settle(now, KafkaError::coordinator_not_available);
  settle();
  EXPECT_EQ(synced.take().error, KafkaError::coordinator_not_available);
  EXPECT_EQ(heartbeat(member.member_id, member.generation), KafkaError::rebalance_in_progress);
}

TEST_F(Coordinator, AThirdMemberCallsTheOthersBack) {
  const Pair pair = stable_pair();
  auto third = join(join_request());
  EXPECT_FALSE(third.has());
  EXPECT_EQ(heartbeat(pair.leader, pair.generation), KafkaError::rebalance_in_progress);
  EXPECT_EQ(sync(pair.follower, pair.generation).take().error, KafkaError::rebalance_in_progress);
  auto leader = join(join_request(pair.leader));
  EXPECT_FALSE(leader.has());
  auto follower = join(join_request(pair.follower));
  EXPECT_EQ(leader.take().members.size(), 3U);
  EXPECT_EQ(third.take().generation, pair.generation + 1);
  EXPECT_EQ(follower.take().leader, pair.leader);
  EXPECT_EQ(heartbeat(pair.leader, pair.generation), KafkaError::illegal_generation);
}

TEST_F(Coordinator, WhoeverDoesNotComeBackInTimeIsOut) {
  const Pair pair = stable_pair();
  auto third = join(join_request());
  auto leader = join(join_request(pair.leader));
  for (int i = 0; i < 12; ++i) {
    advance(std::chrono::seconds(5));
    if (i == 11) break;
    EXPECT_EQ(heartbeat(pair.follower, pair.generation), KafkaError::rebalance_in_progress);
  }
  EXPECT_EQ(leader.take().members.size(), 2U);
  EXPECT_EQ(heartbeat(pair.follower, pair.generation), KafkaError::unknown_member_id);
}

TEST_F(Coordinator, SilenceEndsASession) {
  const Pair pair = stable_pair();
  for (int i = 0; i < 4; ++i) {
    advance(std::chrono::seconds(6));
    (void)heartbeat(pair.leader, pair.generation);
  }
  EXPECT_EQ(heartbeat(pair.follower, pair.generation), KafkaError::unknown_member_id);
  EXPECT_EQ(heartbeat(pair.leader, pair.generation), KafkaError::rebalance_in_progress);
  EXPECT_EQ(coordinator->counts().members_expired, 1U);
}

TEST_F(Coordinator, AJoinWithoutSyncHoldsNobodyUpForEver) {
  const Pair pair = stable_pair();
  auto third = join(join_request());
  auto leader = join(join_request(pair.leader));
  auto follower = join(join_request(pair.follower));
  const std::int32_t generation = leader.take().generation;
  const std::string silent = third.take().member_id;
  (void)follower.take();
  auto synced = sync(pair.leader, generation, {{pair.leader, "0"}});
  EXPECT_EQ(synced.take().error, KafkaError::none);
  for (int i = 0; i < 13; ++i) {
    advance(std::chrono::seconds(5));
    for (const std::string& id : {pair.leader, pair.follower, silent}) (void)heartbeat(id, generation);
  }
  EXPECT_EQ(heartbeat(silent, generation), KafkaError::unknown_member_id);
  EXPECT_EQ(heartbeat(pair.leader, generation), KafkaError::rebalance_in_progress);
}

TEST_F(Coordinator, LeavingBeginsARebalanceAndTheLastOneLeavesAnEmptyGroup) {
  const Pair pair = stable_pair();
  EXPECT_EQ(leave({{pair.leader, {}, {}}}).members.at(0), KafkaError::none);
  EXPECT_EQ(heartbeat(pair.follower, pair.generation), KafkaError::rebalance_in_progress);
  EXPECT_EQ(leave({{pair.leader, {}, {}}}).members.at(0), KafkaError::unknown_member_id);
  EXPECT_EQ(leave({{pair.follower, {}, {}}}).members.at(0), KafkaError::none);
  EXPECT_EQ(describe().state, GroupState::empty);
  EXPECT_EQ(describe().protocol_type, "consumer");
}

TEST_F(Coordinator, AFollowerThatAsksAgainIsToldTheGeneration) {
  const Pair pair = stable_pair();
  const JoinGroupResult again = join(join_request(pair.follower)).take();
  EXPECT_EQ(again.generation, pair.generation);
  EXPECT_TRUE(again.members.empty());
  JoinGroup changed = join_request(pair.follower);  // what a cooperative member does when it gave partitions up
  changed.protocols = {{"range", subscription({"t", "u"})}};
  EXPECT_FALSE(join(changed).has());
  EXPECT_EQ(describe().state, GroupState::preparing_rebalance);
}

TEST_F(Coordinator, TheProtocolThatAllHaveAndMostPrefer) {
  JoinGroup one = join_request();
  one.protocols = {{"sticky", "1"}, {"range", "1"}, {"other", "1"}};
  JoinGroup two = join_request();
  two.protocols = {{"range", "2"}, {"sticky", "2"}};
  JoinGroup three = two;
  auto a = join(one);
  auto b = join(two);
  auto c = join(three);
  advance(std::chrono::seconds(3));
  EXPECT_EQ(a.take().protocol, "range");
  (void)b.take();
  (void)c.take();
}

TEST_F(Coordinator, TheGroupHasALimit) {
  settings.max_members = 2;
  make();
  const Pair pair = stable_pair();
  EXPECT_EQ(join(join_request()).take().error, KafkaError::group_max_size_reached);
  EXPECT_EQ(heartbeat(pair.leader, pair.generation), KafkaError::none);
}

TEST_F(Coordinator, AStaticMemberComesBackWithoutARebalance) {
  const Pair pair = stable_pair(static_join("a"), static_join("b"));
  const bool a_leads = pair.leader.starts_with("a-");
  JoinGroup again = static_join(a_leads ? "b" : "a");
  hold = true;
  auto waiting = join(again);
  EXPECT_FALSE(waiting.has()) << "its new name is stored first";
  hold = false;
  settle();
  const JoinGroupResult back = waiting.take();
  EXPECT_EQ(back.error, KafkaError::none);
  EXPECT_EQ(back.generation, pair.generation);
  EXPECT_NE(back.member_id, pair.follower);
  EXPECT_EQ(sync(back.member_id, back.generation).take().assignment, "1");
  EXPECT_EQ(heartbeat(pair.follower, pair.generation, again.instance_id), KafkaError::fenced_instance_id);
  EXPECT_EQ(heartbeat(pair.follower, pair.generation), KafkaError::unknown_member_id);
  EXPECT_EQ(heartbeat(pair.leader, pair.generation), KafkaError::none);
}

TEST_F(Coordinator, AStaticLeaderThatComesBackAssignsNothing) {
  const Pair pair = stable_pair(static_join("a"), static_join("b"));
  JoinGroup again = static_join(pair.leader.substr(0, 1));
  const JoinGroupResult old_version = join(again).take();
  EXPECT_EQ(old_version.leader, pair.leader) << "a name in which it does not recognise itself";
  again.can_skip_assignment = true;
  const JoinGroupResult back = join(again).take();
  EXPECT_EQ(back.leader, back.member_id);
  EXPECT_TRUE(back.skip_assignment);
  EXPECT_EQ(back.members.size(), 2U);
}

TEST_F(Coordinator, AnAdministratorRemovesAStaticMemberByItsInstance) {
  const Pair pair = stable_pair(static_join("a"), static_join("b"));
  EXPECT_EQ(leave({{"", "a", {}}, {"", "z", {}}}).members,
            (std::vector{KafkaError::none, KafkaError::unknown_member_id}));
  EXPECT_EQ(describe().members.size(), 1U);
}

TEST_F(Coordinator, StopAnswersEverybodyWhoWaits) {
  auto waiting = join(join_request());
  coordinator->stop();
  settle();
  EXPECT_EQ(waiting.take().error, KafkaError::not_coordinator);
  EXPECT_EQ(join(join_request()).take().error, KafkaError::not_coordinator);
}

TEST_F(Coordinator, ARestartKeepsMembersAndGeneration) {
  const Pair pair = stable_pair();
  restart();
  EXPECT_EQ(describe().state, GroupState::stable);
  EXPECT_EQ(heartbeat(pair.leader, pair.generation), KafkaError::none);
  EXPECT_EQ(heartbeat(pair.follower, pair.generation), KafkaError::none);
  EXPECT_EQ(sync(pair.follower, pair.generation).take().assignment, "1");
  advance(std::chrono::seconds(11));
  EXPECT_EQ(describe().state, GroupState::empty) << "sessions begin anew with the restart, and end";
}

}  // namespace
}  // namespace millrace::kafka::testing
