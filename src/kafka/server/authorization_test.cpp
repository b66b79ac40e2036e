// Every served API against ACLs: refused with Kafka's code by somebody who may do nothing, and no more refused once the
// one ACL for it is there. An API that nobody thought of here fails the test.
#include "kafka/server/authorization.h"

#include <map>
#include <set>

#include "auth/acls.h"
#include "kafka/protocol/messages/alter_client_quotas.h"
#include "kafka/protocol/messages/alter_configs.h"
#include "kafka/protocol/messages/alter_partition_reassignments.h"
#include "kafka/protocol/messages/alter_user_scram_credentials.h"
#include "kafka/protocol/messages/create_acls.h"
#include "kafka/protocol/messages/create_partitions.h"
#include "kafka/protocol/messages/create_topics.h"
#include "kafka/protocol/messages/delete_acls.h"
#include "kafka/protocol/messages/delete_groups.h"
#include "kafka/protocol/messages/delete_records.h"
#include "kafka/protocol/messages/delete_topics.h"
#include "kafka/protocol/messages/describe_acls.h"
#include "kafka/protocol/messages/describe_client_quotas.h"
#include "kafka/protocol/messages/describe_cluster.h"
#include "kafka/protocol/messages/describe_configs.h"
#include "kafka/protocol/messages/describe_groups.h"
#include "kafka/protocol/messages/describe_log_dirs.h"
#include "kafka/protocol/messages/describe_producers.h"
#include "kafka/protocol/messages/describe_user_scram_credentials.h"
#include "kafka/protocol/messages/elect_leaders.h"
#include "kafka/protocol/messages/find_coordinator.h"
#include "kafka/protocol/messages/heartbeat.h"
#include "kafka/protocol/messages/incremental_alter_configs.h"
#include "kafka/protocol/messages/init_producer_id.h"
#include "kafka/protocol/messages/join_group.h"
#include "kafka/protocol/messages/leave_group.h"
#include "kafka/protocol/messages/list_groups.h"
#include "kafka/protocol/messages/list_offsets.h"
#include "kafka/protocol/messages/list_partition_reassignments.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/protocol/messages/offset_commit.h"
#include "kafka/protocol/messages/offset_delete.h"
#include "kafka/protocol/messages/offset_fetch.h"
#include "kafka/protocol/messages/offset_for_leader_epoch.h"
#include "kafka/protocol/messages/sync_group.h"
#include "kafka/server/served_apis.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

using auth::AclResource;

class AuthorizationTest : public ServerFixture {
 public:
  using ServerFixture::ask;
  using ServerFixture::produce_request;

 protected:
  AuthorizationTest() { settings.acls = &acls; }
  void allow(std::string_view rule) {
    const std::string line = "allow anonymous " + std::string(rule);
    ASSERT_TRUE(auth::parse_acl(line)) << line;
    acls.restore(line, true);
  }
  void forbid_everything() {
    const auto table = acls.table();
    for (const auth::Acl& acl : table->stored()) acls.restore(to_text(acl), false);
  }

  auth::Acls acls;
};

struct Question {
  ApiKey key;
  KafkaError refused;
  std::vector<std::string_view> rules;  // with all of them it is not refused, with all but one it is
  std::int16_t (*ask)(AuthorizationTest& test);
};

constexpr auto kTopicDenied = KafkaError::topic_authorization_failed;
constexpr auto kGroupDenied = KafkaError::group_authorization_failed;
constexpr auto kClusterDenied = KafkaError::cluster_authorization_failed;

template <class Response>
std::int16_t group_answer(AuthorizationTest& test, ApiKey key, std::int16_t version, auto request) {
  request.group_id = "g";
  return test.ask<Response>(key, version, request).error_code;
}

template <class Response, class Request>
std::int16_t config_answer(AuthorizationTest& test, ApiKey key, std::int16_t version, std::int8_t type,
                           std::string_view name) {
  Request request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = type;
  resource.resource_name = name;
  const auto answer = test.ask<Response>(key, version, request);
  if constexpr (requires { answer.results; }) {
    return answer.results.at(0).error_code;
  } else {
    return answer.responses.at(0).error_code;
  }
}

const std::vector<Question>& questions() {
  static const std::vector<Question> all = {
      {ApiKey::produce,
       kTopicDenied,
       {"kafka:write topic:events"},
       [](AuthorizationTest& test) {
         const SharedBytes batch = batch_of({"x"});
         const auto answer =
             test.ask<ProduceResponse>(ApiKey::produce, 9, AuthorizationTest::produce_request(batch.view()));
         return answer.responses.at(0).partition_responses.at(0).error_code;
       }},
      {ApiKey::fetch,
       kTopicDenied,
       {"kafka:read topic:events"},
       [](AuthorizationTest& test) {
         FetchRequest request;
         request.topics.push_back({.topic = "events", .partitions = {{.partition = 0}}});
         return test.ask<FetchResponse>(ApiKey::fetch, 12, request).responses.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::list_offsets,
       kTopicDenied,
       {"kafka:describe topic:events"},
       [](AuthorizationTest& test) {
         ListOffsetsRequest request;
         request.topics.push_back({.name = "events", .partitions = {{.partition_index = 0, .timestamp = 5}}});
         const auto answer = test.ask<ListOffsetsResponse>(ApiKey::list_offsets, 7, request);
         return answer.topics.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::metadata,
       kTopicDenied,
       {"kafka:describe topic:events"},
       [](AuthorizationTest& test) {
         MetadataRequest request;
         request.topics.emplace().push_back({.name = "events"});
         return test.ask<MetadataResponse>(ApiKey::metadata, 12, request).topics.at(0).error_code;
       }},
      {ApiKey::offset_commit,
       kGroupDenied,
       {"kafka:read group:g", "kafka:read topic:events"},
       [](AuthorizationTest& test) {
         OffsetCommitRequest request;
         request.group_id = "g";
         request.topics.push_back({.name = "events", .partitions = {{.partition_index = 0, .committed_offset = 7}}});
         const auto answer = test.ask<OffsetCommitResponse>(ApiKey::offset_commit, 9, request);
         return answer.topics.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::offset_fetch,
       kGroupDenied,
       {"kafka:describe group:g", "kafka:describe topic:events"},
       [](AuthorizationTest& test) {
         OffsetFetchRequest request;
         request.groups.push_back({.group_id = "g", .member_id = {}, .member_epoch = -1, .topics = {}});
         request.groups[0].topics.emplace().push_back({.name = "events", .partition_indexes = {0}});
         const auto answer = test.ask<OffsetFetchResponse>(ApiKey::offset_fetch, 8, request);
         const auto& group = answer.groups.at(0);
         return group.error_code != 0 ? group.error_code : group.topics.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::find_coordinator,
       kGroupDenied,
       {"kafka:describe group:g"},
       [](AuthorizationTest& test) {
         FindCoordinatorRequest request;
         request.coordinator_keys.emplace_back("g");
         const auto answer = test.ask<FindCoordinatorResponse>(ApiKey::find_coordinator, 4, request);
         return answer.coordinators.at(0).error_code;
       }},
      {ApiKey::join_group,
       kGroupDenied,
       {"kafka:read group:g"},
       [](AuthorizationTest& test) {
         JoinGroupRequest request;
         request.session_timeout_ms = 1;  // refused for that when it may ask
         request.protocol_type = "consumer";
         request.protocols.push_back({"range", {}});
         return group_answer<JoinGroupResponse>(test, ApiKey::join_group, 5, request);
       }},
      {ApiKey::sync_group,
       kGroupDenied,
       {"kafka:read group:g"},
       [](AuthorizationTest& test) {
         return group_answer<SyncGroupResponse>(test, ApiKey::sync_group, 3, SyncGroupRequest{});
       }},
      {ApiKey::heartbeat,
       kGroupDenied,
       {"kafka:read group:g"},
       [](AuthorizationTest& test) {
         return group_answer<HeartbeatResponse>(test, ApiKey::heartbeat, 3, HeartbeatRequest{});
       }},
      {ApiKey::leave_group,
       kGroupDenied,
       {"kafka:read group:g"},
       [](AuthorizationTest& test) {
         return group_answer<LeaveGroupResponse>(test, ApiKey::leave_group, 3, LeaveGroupRequest{});
       }},
      {ApiKey::describe_groups,
       kGroupDenied,
       {"kafka:describe group:g"},
       [](AuthorizationTest& test) {
         DescribeGroupsRequest request;
         request.groups.emplace_back("g");
         const auto answer = test.ask<DescribeGroupsResponse>(ApiKey::describe_groups, 5, request);
         return answer.groups.at(0).error_code;
       }},
      {ApiKey::offset_delete,
       kGroupDenied,
       {"kafka:delete group:g", "kafka:read topic:events"},
       [](AuthorizationTest& test) {
         OffsetDeleteRequest request;
         request.group_id = "g";
         request.topics.push_back({.name = "events", .partitions = {{0}}});
         const auto answer = test.ask<OffsetDeleteResponse>(ApiKey::offset_delete, 0, request);
         if (answer.topics.empty()) return answer.error_code;
         return answer.topics.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::delete_groups,
       kGroupDenied,
       {"kafka:delete group:g"},
       [](AuthorizationTest& test) {
         DeleteGroupsRequest request;
         request.groups_names.emplace_back("g");
         return test.ask<DeleteGroupsResponse>(ApiKey::delete_groups, 2, request).results.at(0).error_code;
       }},
      {ApiKey::create_topics,
       kTopicDenied,
       {"kafka:create topic:new"},
       [](AuthorizationTest& test) {
         CreateTopicsRequest request;
         request.topics.push_back({.name = "new", .num_partitions = 1, .replication_factor = 1});
         return test.ask<CreateTopicsResponse>(ApiKey::create_topics, 7, request).topics.at(0).error_code;
       }},
      {ApiKey::create_partitions,
       kTopicDenied,
       {"kafka:alter topic:events"},
       [](AuthorizationTest& test) {
         CreatePartitionsRequest request;
         request.topics.push_back({.name = "events", .count = 3, .assignments = {}});
         const auto answer = test.ask<CreatePartitionsResponse>(ApiKey::create_partitions, 3, request);
         return answer.results.at(0).error_code;
       }},
      {ApiKey::delete_topics,
       kTopicDenied,
       {"kafka:delete topic:gone"},
       [](AuthorizationTest& test) {
         DeleteTopicsRequest request;
         request.topics.push_back({.name = "gone", .topic_id = {}});
         return test.ask<DeleteTopicsResponse>(ApiKey::delete_topics, 6, request).responses.at(0).error_code;
       }},
      {ApiKey::delete_records,
       kTopicDenied,
       {"kafka:delete topic:events"},
       [](AuthorizationTest& test) {
         DeleteRecordsRequest request;
         request.topics.push_back({.name = "events", .partitions = {{.partition_index = 0, .offset = 0}}});
         const auto answer = test.ask<DeleteRecordsResponse>(ApiKey::delete_records, 2, request);
         return answer.topics.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::init_producer_id,
       kClusterDenied,
       {"kafka:write topic:any*"},
       [](AuthorizationTest& test) {
         InitProducerIdRequest request;
         request.transactional_id.reset();
         return test.ask<InitProducerIdResponse>(ApiKey::init_producer_id, 4, request).error_code;
       }},
      {ApiKey::init_producer_id,
       kClusterDenied,
       {"kafka:idempotent_write cluster"},
       [](AuthorizationTest& test) {
         InitProducerIdRequest request;
         request.transactional_id.reset();
         return test.ask<InitProducerIdResponse>(ApiKey::init_producer_id, 4, request).error_code;
       }},
      {ApiKey::offset_for_leader_epoch,
       kTopicDenied,
       {"kafka:describe topic:events"},
       [](AuthorizationTest& test) {
         OffsetForLeaderEpochRequest request;
         request.topics.push_back({.topic = "events", .partitions = {{.partition = 0}}});
         const auto answer = test.ask<OffsetForLeaderEpochResponse>(ApiKey::offset_for_leader_epoch, 4, request);
         return answer.topics.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::describe_configs,
       kTopicDenied,
       {"kafka:describe_configs topic:events"},
       [](AuthorizationTest& test) {
         return config_answer<DescribeConfigsResponse, DescribeConfigsRequest>(test, ApiKey::describe_configs, 4, 2,
                                                                               "events");
       }},
      {ApiKey::describe_configs,
       kClusterDenied,
       {"kafka:alter_configs cluster"},
       [](AuthorizationTest& test) {
         return config_answer<DescribeConfigsResponse, DescribeConfigsRequest>(test, ApiKey::describe_configs, 4, 4,
                                                                               "1");
       }},
      {ApiKey::alter_configs,
       kTopicDenied,
       {"kafka:alter_configs topic:events"},
       [](AuthorizationTest& test) {
         return config_answer<AlterConfigsResponse, AlterConfigsRequest>(test, ApiKey::alter_configs, 2, 2, "events");
       }},
      {ApiKey::incremental_alter_configs,
       kTopicDenied,
       {"kafka:alter_configs topic:events"},
       [](AuthorizationTest& test) {
         return config_answer<IncrementalAlterConfigsResponse, IncrementalAlterConfigsRequest>(
             test, ApiKey::incremental_alter_configs, 1, 2, "events");
       }},
      {ApiKey::incremental_alter_configs,
       kClusterDenied,
       {"kafka:alter_configs cluster"},
       [](AuthorizationTest& test) {
         return config_answer<IncrementalAlterConfigsResponse, IncrementalAlterConfigsRequest>(
             test, ApiKey::incremental_alter_configs, 1, 4, "1");
       }},
      {ApiKey::describe_log_dirs,
       kClusterDenied,
       {"kafka:describe cluster"},
       [](AuthorizationTest& test) {
         DescribeLogDirsRequest request;
         request.topics.reset();
         return test.ask<DescribeLogDirsResponse>(ApiKey::describe_log_dirs, 4, request).error_code;
       }},
      {ApiKey::elect_leaders,
       kClusterDenied,
       {"kafka:alter cluster"},
       [](AuthorizationTest& test) {
         ElectLeadersRequest request;
         request.topic_partitions.reset();
         return test.ask<ElectLeadersResponse>(ApiKey::elect_leaders, 2, request).error_code;
       }},
      {ApiKey::alter_partition_reassignments,
       kClusterDenied,
       {"kafka:alter cluster"},
       [](AuthorizationTest& test) {
         return test
             .ask<AlterPartitionReassignmentsResponse>(ApiKey::alter_partition_reassignments, 0,
                                                       AlterPartitionReassignmentsRequest{})
             .error_code;
       }},
      {ApiKey::list_partition_reassignments,
       kClusterDenied,
       {"kafka:describe cluster"},
       [](AuthorizationTest& test) {
         return test
             .ask<ListPartitionReassignmentsResponse>(ApiKey::list_partition_reassignments, 0,
                                                      ListPartitionReassignmentsRequest{})
             .error_code;
       }},
      {ApiKey::describe_producers,
       kTopicDenied,
       {"kafka:read topic:events"},
       [](AuthorizationTest& test) {
         DescribeProducersRequest request;
         request.topics.push_back({.name = "events", .partition_indexes = {0}});
         const auto answer = test.ask<DescribeProducersResponse>(ApiKey::describe_producers, 0, request);
         return answer.topics.at(0).partitions.at(0).error_code;
       }},
      {ApiKey::describe_acls,
       kClusterDenied,
       {"kafka:describe cluster"},
       [](AuthorizationTest& test) {
         DescribeAclsRequest request;
         request.resource_type_filter = request.operation = request.permission_type = 1;
         return test.ask<DescribeAclsResponse>(ApiKey::describe_acls, 2, request).error_code;
       }},
      {ApiKey::create_acls,
       kClusterDenied,
       {"kafka:alter cluster"},
       [](AuthorizationTest& test) {
         CreateAclsRequest request;
         request.creations.push_back({2, "x", 3, "User:y", "*", 3, 3});
         return test.ask<CreateAclsResponse>(ApiKey::create_acls, 2, request).results.at(0).error_code;
       }},
      {ApiKey::delete_acls,
       kClusterDenied,
       {"kafka:alter cluster"},
       [](AuthorizationTest& test) {
         DeleteAclsRequest request;
         request.filters.push_back({2, "nothing", 3, std::nullopt, std::nullopt, 1, 1});
         return test.ask<DeleteAclsResponse>(ApiKey::delete_acls, 2, request).filter_results.at(0).error_code;
       }},
      {ApiKey::describe_client_quotas,
       kClusterDenied,
       {"kafka:describe_configs cluster"},
       [](AuthorizationTest& test) {
         return test.ask<DescribeClientQuotasResponse>(ApiKey::describe_client_quotas, 1, DescribeClientQuotasRequest{})
             .error_code;
       }},
      {ApiKey::alter_client_quotas,
       kClusterDenied,
       {"kafka:alter_configs cluster"},
       [](AuthorizationTest& test) {
         AlterClientQuotasRequest request;
         auto& entry = request.entries.emplace_back();
         entry.entity.push_back({"user", "ann"});
         entry.ops.push_back({"producer_byte_rate", 0.5, false});
         const auto answer = test.ask<AlterClientQuotasResponse>(ApiKey::alter_client_quotas, 1, request);
         return answer.entries.at(0).error_code;
       }},
      {ApiKey::describe_user_scram_credentials,
       kClusterDenied,
       {"kafka:describe cluster"},
       [](AuthorizationTest& test) {
         DescribeUserScramCredentialsRequest request;
         return test.ask<DescribeUserScramCredentialsResponse>(ApiKey::describe_user_scram_credentials, 0, request)
             .error_code;
       }},
      {ApiKey::alter_user_scram_credentials,
       kClusterDenied,
       {"kafka:alter cluster"},
       [](AuthorizationTest& test) {
         AlterUserScramCredentialsRequest request;
         request.deletions.push_back({"nobody", 1});
         return test.ask<AlterUserScramCredentialsResponse>(ApiKey::alter_user_scram_credentials, 0, request)
             .results.at(0)
             .error_code;
       }},
  };
  return all;
}

class Everything : public AuthorizationTest {
 protected:
  Everything() { settings.authenticator = &authenticator; }
  auth::Users users;
  metrics::Registry auth_registry;
  auth::Authenticator authenticator{users, nullptr, auth_registry, [] { return std::uint64_t{1}; }};
};

TEST_F(Everything, IsRefusedUntilItsOneRuleIsThere) {
  EXPECT_TRUE(log.create({.name = "gone", .partitions = 1, .config = {}}));
  for (const Question& question : questions()) {
    SCOPED_TRACE(std::string(find_codec(static_cast<std::int16_t>(question.key))->name) + " " +
                 std::string(question.rules.back()));
    forbid_everything();
    EXPECT_EQ(question.ask(*this), code(question.refused));
    for (std::size_t missing = 0; missing < question.rules.size(); ++missing) {
      forbid_everything();
      for (std::size_t i = 0; i < question.rules.size(); ++i) {
        if (i != missing) allow(question.rules[i]);
      }
      const std::int16_t refused = question.ask(*this);
      EXPECT_TRUE(refused == code(kTopicDenied) || refused == code(question.refused)) << refused;
    }
    forbid_everything();
    for (const std::string_view rule : question.rules) allow(rule);
    const std::int16_t answer = question.ask(*this);
    for (const KafkaError refused : {kTopicDenied, kGroupDenied, kClusterDenied}) EXPECT_NE(answer, code(refused));
  }
}

TEST_F(Everything, IsAskedAbout) {
  std::set<ApiKey> asked = {
      // Before the log-in, or without a secret: the cluster's address is what the client has connected to.
      ApiKey::api_versions, ApiKey::sasl_handshake, ApiKey::sasl_authenticate, ApiKey::describe_cluster,
      ApiKey::list_groups,  // filters; below
  };
  for (const Question& question : questions()) asked.insert(question.key);
  for (const ServedApi& api : served_apis()) EXPECT_TRUE(asked.contains(api.key)) << api.codec().name;
}

TEST_F(Everything, IsForSuperUsers) {
  settings.super_users = {"ANONYMOUS"};
  for (const Question& question : questions()) {
    const std::int16_t answer = question.ask(*this);
    for (const KafkaError refused : {kTopicDenied, kGroupDenied, kClusterDenied}) EXPECT_NE(answer, code(refused));
  }
}

}  // namespace
}  // namespace millrace::kafka::testing
