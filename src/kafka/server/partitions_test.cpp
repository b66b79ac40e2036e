// CreatePartitions, DeleteRecords, DescribeLogDirs, DescribeProducers, and what one node answers about replicas.
#include <gtest/gtest.h>

#include "kafka/protocol/messages/alter_partition_reassignments.h"
#include "kafka/protocol/messages/create_partitions.h"
#include "kafka/protocol/messages/delete_records.h"
#include "kafka/protocol/messages/describe_log_dirs.h"
#include "kafka/protocol/messages/describe_producers.h"
#include "kafka/protocol/messages/elect_leaders.h"
#include "kafka/protocol/messages/list_partition_reassignments.h"
#include "kafka/server/error_codes.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

class PartitionsTest : public ServerFixture {
 protected:
  using Refused = std::pair<std::int16_t, std::string>;
  using Assignments = std::vector<CreatePartitionsRequest::CreatePartitionsAssignment>;
  Refused grow(std::string_view topic, std::int32_t count, std::optional<Assignments> assignments = std::nullopt,
               bool validate_only = false, std::int16_t version = 3) {
    CreatePartitionsRequest request;
    request.topics.push_back({topic, count, std::move(assignments)});
    request.validate_only = validate_only;
    const auto response = ask<CreatePartitionsResponse>(ApiKey::create_partitions, version, request);
    const auto& out = response.results.at(0);
    return {out.error_code, std::string(out.error_message.value_or(""))};
  }
  DeleteRecordsResponse::DeleteRecordsPartitionResult cut(std::int64_t offset, std::string_view topic = "events",
                                                          std::int32_t partition = 0) {
    DeleteRecordsRequest request;
    request.topics.push_back({topic, {{partition, offset}}});
    return ask<DeleteRecordsResponse>(ApiKey::delete_records, 2, request).topics.at(0).partitions.at(0);
  }
  [[nodiscard]] std::size_t partitions() const { return log.table()->find("events")->partitions.size(); }
};

TEST_F(PartitionsTest, CreatePartitionsOnlyAdds) {
  EXPECT_EQ(grow("events", 5, std::nullopt, true), (Refused{0, ""}));
  EXPECT_EQ(partitions(), 2U) << "validate_only";
  for (std::int16_t version = 0; version <= 3; ++version) {
    EXPECT_EQ(grow("events", 3 + version, std::nullopt, false, version), (Refused{0, ""}));
  }
  EXPECT_EQ(partitions(), 6U);
  EXPECT_EQ(grow("events", 6), (Refused{37, "Topic already has 6 partition(s)."}));
  EXPECT_EQ(grow("events", 2),
            (Refused{37, "The topic events currently has 6 partition(s); 2 would not be an increase."}));
  EXPECT_EQ(grow("events", 1'000'000).first, 37);
  EXPECT_EQ(grow("nowhere", 2), (Refused{3, "This server does not host this topic-partition."}));
  EXPECT_EQ(grow("events", 8, Assignments{{{1}}}),
            (Refused{39, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."}));
  EXPECT_EQ(grow("events", 8, Assignments{{{1}}, {{2}}}).first, 39);
  EXPECT_EQ(grow("events", 8, Assignments{{{1}}, {{1}}}).first, 0);
  CreatePartitionsRequest twice;
  twice.topics = {{"events", 9, std::nullopt}, {"events", 10, std::nullopt}};
  const auto response = ask<CreatePartitionsResponse>(ApiKey::create_partitions, 3, twice);
  ASSERT_EQ(response.results.size(), 1U) << "one answer for a topic, or clients take the response for damaged";
  EXPECT_EQ(response.results.at(0).error_message, "Duplicate topic name.");
  EXPECT_EQ(partitions(), 8U);
}

TEST_F(PartitionsTest, DeleteRecordsMovesTheLogStart) {
  put({"a", "b", "c"});
  EXPECT_EQ(cut(2).low_watermark, 2);
  EXPECT_EQ(cut(1).low_watermark, 2) << "it never moves down";
  EXPECT_EQ(cut(4).error_code, 1);
  EXPECT_EQ(cut(4).low_watermark, -1);
  EXPECT_EQ(cut(-2).error_code, 1);
  EXPECT_EQ(cut(-1).low_watermark, 3);
  EXPECT_EQ(cut(0, "nowhere").error_code, 3);
  EXPECT_EQ(cut(0, "events", 7).error_code, 3);
  ASSERT_TRUE(log.create({.name = "__own", .partitions = 1, .config = {}, .internal = true}));
  EXPECT_EQ(cut(0, "__own").error_code, 17);
  EXPECT_EQ(log.partition("events", 0).log_start(), Offset(3));
}

TEST_F(PartitionsTest, DescribeLogDirsIsOneDirectory) {
  settings.log_dir = "/var/lib/millrace";
  settings.volume = [] { return VolumeSpace{100, 40}; };
  for (std::int16_t version = 1; version <= 4; ++version) {
    DescribeLogDirsRequest all;
    all.topics.reset();
    const auto response = ask<DescribeLogDirsResponse>(ApiKey::describe_log_dirs, version, all);
    ASSERT_EQ(response.results.size(), 1U);
    EXPECT_EQ(response.results[0].log_dir, "/var/lib/millrace");
    EXPECT_EQ(response.results[0].topics.at(0).partitions.size(), 2U);
    EXPECT_EQ(response.results[0].usable_bytes, version >= 4 ? 40 : -1);
  }
  DescribeLogDirsRequest one;
  one.topics = {{"events", {1, 9}}, {"nowhere", {0}}};
  const auto response = ask<DescribeLogDirsResponse>(ApiKey::describe_log_dirs, 4, one);
  ASSERT_EQ(response.results.at(0).topics.size(), 1U);
  EXPECT_EQ(response.results[0].topics[0].partitions.size(), 1U) << "what does not exist is left out";
}

TEST_F(PartitionsTest, DescribeProducersNamesThem) {
  log.partition("events", 1).known_producers = {{ProducerId(7), ProducerEpoch(2), 41, 1000}};
  DescribeProducersRequest request;
  request.topics = {{"events", {0, 1, 5}}};
  const auto response = ask<DescribeProducersResponse>(ApiKey::describe_producers, 0, request);
  const auto& partitions = response.topics.at(0).partitions;
  EXPECT_TRUE(partitions.at(0).active_producers.empty());
  EXPECT_EQ(partitions.at(1).active_producers.at(0).producer_id, 7);
  EXPECT_EQ(partitions.at(1).active_producers.at(0).last_sequence, 41);
  EXPECT_EQ(partitions.at(2).error_code, 3);
}

TEST_F(PartitionsTest, OneNodeHasNothingToElectOrToMove) {
  ElectLeadersRequest elect;
  elect.topic_partitions = std::vector<ElectLeadersRequest::TopicPartitions>{{"events", {0, 9}}};
  for (std::int16_t version = 0; version <= 2; ++version) {
    const auto response = ask<ElectLeadersResponse>(ApiKey::elect_leaders, version, elect);
    EXPECT_EQ(response.error_code, 0);
    EXPECT_EQ(response.replica_election_results.at(0).partition_result.at(0).error_code, 84);
    EXPECT_EQ(response.replica_election_results.at(0).partition_result.at(1).error_code, 3);
  }
  elect.topic_partitions.reset();
  EXPECT_TRUE(ask<ElectLeadersResponse>(ApiKey::elect_leaders, 2, elect).replica_election_results.empty());

  EXPECT_TRUE(ask<ListPartitionReassignmentsResponse>(ApiKey::list_partition_reassignments, 0,
                                                      ListPartitionReassignmentsRequest{})
                  .topics.empty());

  using Replicas = std::optional<std::vector<std::int32_t>>;
  const auto move = [this](std::int32_t partition, Replicas replicas) {
    AlterPartitionReassignmentsRequest request;
    request.topics.push_back({"events", {{partition, std::move(replicas)}}});
    const auto response = ask<AlterPartitionReassignmentsResponse>(ApiKey::alter_partition_reassignments, 0, request);
    return response.responses.at(0).partitions.at(0).error_code;
  };
  EXPECT_EQ(move(0, Replicas{{1}}), 0);
  EXPECT_EQ(move(0, std::nullopt), 85);
  EXPECT_EQ(move(0, Replicas{{2}}), 39);
  EXPECT_EQ(move(0, Replicas{{1, 1}}), 39);
  EXPECT_EQ(move(0, Replicas{std::vector<std::int32_t>{}}), 39);
  EXPECT_EQ(move(9, Replicas{{1}}), 3);
}

}  // namespace
}  // namespace millrace::kafka::testing
