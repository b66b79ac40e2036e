// Metadata, CreateTopics, DeleteTopics, ListOffsets and the small handlers.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "kafka/protocol/messages/api_versions.h"
#include "kafka/protocol/messages/create_topics.h"
#include "kafka/protocol/messages/delete_topics.h"
#include "kafka/protocol/messages/describe_cluster.h"
#include "kafka/protocol/messages/find_coordinator.h"
#include "kafka/protocol/messages/init_producer_id.h"
#include "kafka/protocol/messages/list_offsets.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/protocol/messages/offset_for_leader_epoch.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

class TopicsTest : public ServerFixture {
 protected:
  MetadataResponse metadata_of(std::string_view topic, std::int16_t version = 9) {
    MetadataRequest request;
    request.topics->push_back({.name = topic});
    return ask<MetadataResponse>(ApiKey::metadata, version, request);
  }
  CreateTopicsResponse::CreatableTopicResult create(const CreateTopicsRequest::CreatableTopic& topic,
                                                    bool validate_only = false) {
    CreateTopicsRequest request;
    request.topics.push_back(topic);
    request.validate_only = validate_only;
    const auto response = ask<CreateTopicsResponse>(ApiKey::create_topics, 7, request);
    return response.topics.empty() ? CreateTopicsResponse::CreatableTopicResult{} : response.topics[0];
  }
};

TEST_F(TopicsTest, ApiVersionsIsTheHandlerList) {
  for (std::int16_t version = 0; version <= 4; ++version) {
    const auto response = ask<ApiVersionsResponse>(ApiKey::api_versions, version, ApiVersionsRequest{"c", "1"});
    ASSERT_EQ(response.api_keys.size(), served_apis().size());
    for (std::size_t i = 0; i < served_apis().size(); ++i) {
      EXPECT_EQ(response.api_keys[i].api_key, static_cast<std::int16_t>(served_apis()[i].key));
      EXPECT_EQ(response.api_keys[i].min_version, served_apis()[i].first_advertised);
      EXPECT_EQ(response.api_keys[i].max_version, served_apis()[i].last);
    }
  }
}

TEST_F(TopicsTest, ANewerApiVersionsIsAnsweredInVersionZero) {
  std::string request = frame(ApiKey::api_versions, 4, 7, ApiVersionsRequest{"c", "1"});
  request[7] = 5;
  WireClient& client = connect();
  client.feed(request);
  const auto response = client.take<ApiVersionsResponse>(ApiKey::api_versions, 0, 7);
  EXPECT_EQ(response.error_code, 35);
  ASSERT_EQ(response.api_keys.size(), 1U);
  EXPECT_EQ(response.api_keys[0].api_key, 18);
  EXPECT_EQ(response.api_keys[0].max_version, 4);
  EXPECT_FALSE(client.wire.closed);
}

TEST_F(TopicsTest, EveryHandlerHasACodecForWhatItServes) {
  for (const ServedApi& api : served_apis()) {
    EXPECT_GE(api.first_served, api.codec().first);
    EXPECT_LE(api.last, api.codec().last);
    EXPECT_LE(api.first_advertised, api.first_served);
  }
}

TEST_F(TopicsTest, TheReferencePageIsTheHandlerList) {
  std::string table = "| key | API | versions | |\n|---|---|---|---|\n";
  for (const ServedApi& api : served_apis()) {
    table += "| " + std::to_string(static_cast<int>(api.key)) + " | " + std::string(api.codec().name) + " | " +
             std::to_string(api.first_advertised) + "-" + std::to_string(api.last) + " | " + std::string(api.note) +
             " |\n";
  }
  std::ifstream file(MILLRACE_SOURCE_DIR "/docs/reference/kafka-api.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(table), std::string::npos) << "docs/reference/kafka-api.md must contain:\n" << table;
}

TEST_F(TopicsTest, MetadataAtEveryVersion) {
  for (std::int16_t version = 0; version <= 12; ++version) {
    SCOPED_TRACE(version);
    MetadataRequest all;
    if (version > 0) all.topics.reset();
    for (const MetadataResponse& response :
         {ask<MetadataResponse>(ApiKey::metadata, version, all), metadata_of("events", version)}) {
      ASSERT_EQ(response.brokers.size(), 1U);
      EXPECT_EQ(response.brokers[0].host, "127.0.0.1");
      EXPECT_EQ(response.brokers[0].port, 9092);
      ASSERT_EQ(response.topics.size(), 1U);
      EXPECT_EQ(response.topics[0].name, "events");
      ASSERT_EQ(response.topics[0].partitions.size(), 2U);
      EXPECT_EQ(response.topics[0].partitions[1].partition_index, 1);
      EXPECT_EQ(response.topics[0].partitions[1].leader_id, settings.node_id);
      if (version >= 2) {
        EXPECT_EQ(response.cluster_id->size(), 22U);
      }
      if (version >= 10) {
        EXPECT_NE(response.topics[0].topic_id, UuidBytes{});
      }
    }
  }
  EXPECT_EQ(ask<MetadataResponse>(ApiKey::metadata, 1, MetadataRequest{}).topics.size(), 0U)
      << "an empty list is no topic";
}

TEST_F(TopicsTest, MetadataCreatesTopicsWhenBothSidesWantThat) {
  const auto made = metadata_of("fresh");
  EXPECT_EQ(made.topics.at(0).error_code, 0);
  EXPECT_EQ(made.topics.at(0).partitions.size(), 4U);
  EXPECT_EQ(metadata_of("no/good").topics.at(0).error_code, code(KafkaError::invalid_topic));
  EXPECT_EQ(metadata_of("__mine").topics.at(0).error_code, code(KafkaError::unknown_topic_or_partition));
  MetadataRequest shy;
  shy.topics->push_back({.name = "shy"});
  shy.allow_auto_topic_creation = false;
  EXPECT_EQ(ask<MetadataResponse>(ApiKey::metadata, 9, shy).topics.at(0).error_code, 3);
  log.auto_create_topics = false;
  EXPECT_EQ(metadata_of("fresh2").topics.at(0).error_code, 3);
}

TEST_F(TopicsTest, MetadataById) {
  MetadataRequest request;
  request.topics->push_back({.topic_id = log.table()->find("events")->id.bytes, .name = std::nullopt});
  request.topics->push_back({.topic_id = {9}, .name = std::nullopt});
  const auto response = ask<MetadataResponse>(ApiKey::metadata, 12, request);
  EXPECT_EQ(response.topics.at(0).name, "events");
  EXPECT_EQ(response.topics.at(1).error_code, code(KafkaError::unknown_topic_id));
}

TEST_F(TopicsTest, CreateTopicsSaysWhatIsWrong) {
  const auto good =
      create({.name = "made", .num_partitions = 3, .replication_factor = 1, .configs = {{"retention.ms", "5"}}});
  EXPECT_EQ(good.error_code, 0);
  EXPECT_EQ(good.num_partitions, 3);
  EXPECT_EQ(good.configs->at(0).value, "5");
  EXPECT_EQ(good.topic_id, log.table()->find("made")->id.bytes);
  EXPECT_EQ(create({.name = "made", .num_partitions = 3, .replication_factor = 1}).error_code, 36);
  EXPECT_EQ(create({.name = "a b", .num_partitions = 3, .replication_factor = 1}).error_code, 17);
  EXPECT_EQ(create({.name = "__a", .num_partitions = 3, .replication_factor = 1}).error_code, 17);
  EXPECT_EQ(create({.name = "b", .num_partitions = 0, .replication_factor = 1}).error_code, 37);
  EXPECT_EQ(create({.name = "b", .num_partitions = 2'000'000'000, .replication_factor = 1}).error_code, 37);
  EXPECT_EQ(create({.name = "b", .num_partitions = 1, .replication_factor = 0}).error_code, 38);
  EXPECT_EQ(
      create({.name = "b", .num_partitions = 1, .replication_factor = 1, .configs = {{"no.such.key", "1"}}}).error_code,
      40);
  EXPECT_EQ(create({.name = "b", .num_partitions = -1, .replication_factor = -1}).num_partitions, 4);
  EXPECT_EQ(create({.name = "c", .num_partitions = -1, .replication_factor = -1, .assignments = {{0, {1}}, {1, {1}}}})
                .num_partitions,
            2);
  EXPECT_EQ(create({.name = "d", .num_partitions = -1, .replication_factor = -1, .assignments = {{0, {2}}}}).error_code,
            39);
  EXPECT_EQ(create({.name = "e", .num_partitions = 1, .replication_factor = 1}, true).error_code, 0);
  EXPECT_EQ(log.table()->find("e"), nullptr) << "validate_only";
  EXPECT_EQ(ask<CreateTopicsResponse>(ApiKey::create_topics, 7, CreateTopicsRequest{}).topics.size(), 0U);
}

TEST_F(TopicsTest, MoreReplicasThanOneAreClampedOrRefused) {
  const auto clamped = create({.name = "clamped", .num_partitions = 1, .replication_factor = 3});
  EXPECT_EQ(clamped.error_code, 0);
  EXPECT_EQ(clamped.replication_factor, 1);
}

class StrictTopicsTest : public TopicsTest {
 protected:
  StrictTopicsTest() { settings.clamp_replication_factor = false; }
};

TEST_F(StrictTopicsTest, MoreReplicasThanOneAreRefused) {
  const auto three = create({.name = "b", .num_partitions = 1, .replication_factor = 3});
  EXPECT_EQ(three.error_code, 38);
  EXPECT_EQ(three.error_message,
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because "
            "only 1 broker(s) are registered.");
  EXPECT_EQ(log.table()->find("b"), nullptr);
}

TEST_F(TopicsTest, ATopicNamedTwiceIsRefusedOnce) {
  CreateTopicsRequest creation;
  creation.topics = {{.name = "twice", .num_partitions = 1, .replication_factor = 1},
                     {.name = "once", .num_partitions = 1, .replication_factor = 1},
                     {.name = "twice", .num_partitions = 2, .replication_factor = 1}};
  const auto created = ask<CreateTopicsResponse>(ApiKey::create_topics, 7, creation);
  ASSERT_EQ(created.topics.size(), 2U);
  EXPECT_EQ(created.topics[0].error_code, 42);
  EXPECT_EQ(created.topics[0].error_message, "Duplicate topic name.");
  EXPECT_EQ(created.topics[1].error_code, 0);
  DeleteTopicsRequest deletion;
  deletion.topics.push_back({.name = "once"});
  deletion.topics.push_back({.name = std::nullopt, .topic_id = log.table()->find("once")->id.bytes});
  const auto deleted = ask<DeleteTopicsResponse>(ApiKey::delete_topics, 6, deletion);
  ASSERT_EQ(deleted.responses.size(), 1U);
  EXPECT_EQ(deleted.responses[0].error_code, 42);
  EXPECT_NE(log.table()->find("once"), nullptr);
}

TEST_F(TopicsTest, DeleteTopicsByNameAndById) {
  ASSERT_TRUE(log.create({.name = "second", .partitions = 1, .config = {}}));
  DeleteTopicsRequest by_name;
  by_name.topic_names = {"events", "nowhere", "__own"};
  const auto response = ask<DeleteTopicsResponse>(ApiKey::delete_topics, 5, by_name);
  EXPECT_EQ(response.responses.at(0).error_code, 0);
  EXPECT_EQ(response.responses.at(1).error_code, 3);
  EXPECT_EQ(response.responses.at(2).error_code, 17);
  EXPECT_EQ(log.table()->find("events"), nullptr);
  DeleteTopicsRequest by_id;
  by_id.topics.push_back({.name = std::nullopt, .topic_id = log.table()->find("second")->id.bytes});
  by_id.topics.push_back({.name = std::nullopt, .topic_id = {7}});
  const auto second = ask<DeleteTopicsResponse>(ApiKey::delete_topics, 6, by_id);
  EXPECT_EQ(second.responses.at(0).name, "second");
  EXPECT_EQ(second.responses.at(1).error_code, 100);
  EXPECT_TRUE(log.table()->topics.empty());
}

TEST_F(TopicsTest, ListOffsetsKnowsEverySpecialTimestamp) {
  put({"a"}, 0, 100);
  put({"b", "c"}, 0, 300);
  put({"d"}, 0, 200);
  log.partition("events", 0).trim(Offset(1));
  const auto list = [this](std::int64_t timestamp, std::int16_t version, std::int32_t partition = 0,
                           std::int32_t epoch = -1) {
    ListOffsetsRequest request;
    request.topics.push_back({"events", {{partition, epoch, timestamp}}});
    return ask<ListOffsetsResponse>(ApiKey::list_offsets, version, request).topics.at(0).partitions.at(0);
  };
  for (std::int16_t version = 1; version <= 8; ++version) {
    EXPECT_EQ(list(-1, version).offset, 4);
    EXPECT_EQ(list(-2, version).offset, 1);
    EXPECT_EQ(list(150, version).offset, 1);
    EXPECT_EQ(list(1000, version).offset, -1);
    EXPECT_EQ(list(1000, version).error_code, 0);
    EXPECT_EQ(list(-3, version).error_code, version >= 7 ? 0 : 42);
    EXPECT_EQ(list(-4, version).error_code, version >= 8 ? 0 : 42);
    EXPECT_EQ(list(-9, version).error_code, 42);
    EXPECT_EQ(list(-1, version, 5).error_code, 3);
  }
  EXPECT_EQ(list(-3, 7).timestamp, 300);
  EXPECT_EQ(list(-3, 7).offset, 2);
  EXPECT_EQ(list(-4, 8).offset, 1);
  EXPECT_EQ(list(-1, 8, 0, 3).error_code, 75);
}

TEST_F(TopicsTest, SmallHandlers) {
  const auto first =
      ask<InitProducerIdResponse>(ApiKey::init_producer_id, 4, InitProducerIdRequest{.transactional_id = std::nullopt});
  const auto second =
      ask<InitProducerIdResponse>(ApiKey::init_producer_id, 4, InitProducerIdRequest{.transactional_id = std::nullopt});
  EXPECT_EQ(first.error_code, 0);
  EXPECT_EQ(first.producer_epoch, 0);
  EXPECT_NE(first.producer_id, second.producer_id);
  EXPECT_EQ(ask<InitProducerIdResponse>(ApiKey::init_producer_id, 4, InitProducerIdRequest{.transactional_id = "t"})
                .error_code,
            42);
  const auto cluster = ask<DescribeClusterResponse>(ApiKey::describe_cluster, 1, DescribeClusterRequest{});
  EXPECT_EQ(cluster.brokers.at(0).port, 9092);
  EXPECT_EQ(cluster.cluster_id.size(), 22U);
  put({"a"});
  OffsetForLeaderEpochRequest epochs;
  epochs.topics.push_back({"events", {{0, -1, 0}, {0, -1, 4}, {9, -1, 0}}});
  for (std::int16_t version = 2; version <= 4; ++version) {
    const auto ends =
        ask<OffsetForLeaderEpochResponse>(ApiKey::offset_for_leader_epoch, version, epochs).topics.at(0).partitions;
    EXPECT_EQ(ends.at(0).end_offset, 1);
    EXPECT_EQ(ends.at(1).end_offset, -1);
    EXPECT_EQ(ends.at(2).error_code, 3);
  }
}

}  // namespace
}  // namespace millrace::kafka::testing
