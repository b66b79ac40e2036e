// The ACL APIs and those of quotas: what is made is found and deleted, what cannot be is refused with the reason.
#include "auth/acls.h"
#include "kafka/protocol/messages/alter_client_quotas.h"
#include "kafka/protocol/messages/create_acls.h"
#include "kafka/protocol/messages/delete_acls.h"
#include "kafka/protocol/messages/describe_acls.h"
#include "kafka/protocol/messages/describe_client_quotas.h"
#include "kafka/protocol/messages/list_groups.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/protocol/messages/offset_commit.h"
#include "kafka/protocol/messages/offset_fetch.h"
#include "kafka/server/error_codes.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

class AclsApiTest : public ServerFixture {
 protected:
  AclsApiTest() {
    settings.acls = &acls;
    settings.super_users = {"ANONYMOUS"};
  }
  auth::Acls acls;
};

TEST_F(AclsApiTest, AclsAreMadeFoundAndDeletedOverTheProtocol) {
  acls.set_fixed({auth::parse_acl("deny user:bob kafka:all topic:*").value()});
  CreateAclsRequest create;
  create.creations.push_back({2, "log-", 4, "User:ann", "*", 3, 3});
  create.creations.push_back({2, "log", 3, "User:ann", "10.0.0.1", 4, 3});
  create.creations.push_back({2, "log", 3, "Group:ops", "*", 4, 3});
  create.creations.push_back({4, "kafka-cluster", 3, "User:ann", "*", 3, 3});
  create.creations.push_back({6, "token", 3, "User:ann", "*", 8, 3});
  const auto made = ask<CreateAclsResponse>(ApiKey::create_acls, 2, create);
  ASSERT_EQ(made.results.size(), 5U);
  const std::int16_t expected[] = {0, 0, 42, 42, 42};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(made.results[i].error_code, expected[i]) << i;
  EXPECT_EQ(made.results[2].error_message, "a principal is User:NAME");
  EXPECT_EQ(acls.table()->stored().size(), 2U);

  DescribeAclsRequest describe;
  describe.resource_type_filter = describe.operation = describe.permission_type = 1;
  describe.pattern_type_filter = 2;  // match
  describe.resource_name_filter = "log-a";
  describe.principal_filter.reset();
  describe.host_filter.reset();
  const auto found = ask<DescribeAclsResponse>(ApiKey::describe_acls, 2, describe);
  ASSERT_EQ(found.resources.size(), 2U) << "the file's for every topic, and the prefixed one";
  EXPECT_EQ(found.resources[1].resource_name, "log-");
  EXPECT_EQ(found.resources[1].acls.at(0).principal, "User:ann");
  describe.operation = 99;
  EXPECT_EQ(ask<DescribeAclsResponse>(ApiKey::describe_acls, 2, describe).error_code,
            code(KafkaError::invalid_request));

  DeleteAclsRequest remove;
  remove.filters.push_back({2, std::nullopt, 1, std::nullopt, std::nullopt, 1, 1});
  const auto gone = ask<DeleteAclsResponse>(ApiKey::delete_acls, 2, remove);
  ASSERT_EQ(gone.filter_results.at(0).matching_acls.size(), 3U);
  EXPECT_EQ(gone.filter_results[0].matching_acls[0].error_code, code(KafkaError::invalid_request)) << "of the file";
  EXPECT_EQ(gone.filter_results[0].matching_acls[1].error_code, 0);
  EXPECT_TRUE(acls.table()->stored().empty());
}

TEST_F(AclsApiTest, ListsHaveWhatOneMaySee) {
  settings.super_users.clear();
  const auto allow = [&](const std::string& rule) { acls.restore("allow anonymous " + rule, true); };
  const auto forbid_everything = [&] {
    const auto table = acls.table();
    for (const auth::Acl& acl : table->stored()) acls.restore(to_text(acl), false);
  };
  EXPECT_TRUE(log.create({.name = "other", .partitions = 1, .config = {}}));
  allow("kafka:read topic:events");
  allow("kafka:read group:g");
  OffsetCommitRequest commit;
  commit.group_id = "g";
  commit.topics.push_back({.name = "events", .partitions = {{.partition_index = 0, .committed_offset = 7}}});
  const auto committed = ask<OffsetCommitResponse>(ApiKey::offset_commit, 9, commit);
  ASSERT_EQ(committed.topics.at(0).partitions.at(0).error_code, 0);
  MetadataRequest request;
  request.topics.reset();
  request.include_topic_authorized_operations = true;
  const auto seen = ask<MetadataResponse>(ApiKey::metadata, 10, request);
  ASSERT_EQ(seen.topics.size(), 1U);
  EXPECT_EQ(seen.topics[0].name, "events");
  constexpr std::int32_t kReadAndDescribe = (1 << 3) | (1 << 8);
  EXPECT_EQ(seen.topics[0].topic_authorized_operations, kReadAndDescribe);
  EXPECT_EQ(ask<ListGroupsResponse>(ApiKey::list_groups, 4, ListGroupsRequest{}).groups.size(), 1U);
  OffsetFetchRequest offsets;
  offsets.groups.push_back({.group_id = "g", .member_id = {}, .member_epoch = -1, .topics = std::nullopt});
  EXPECT_EQ(ask<OffsetFetchResponse>(ApiKey::offset_fetch, 8, offsets).groups.at(0).topics.size(), 1U);
  forbid_everything();
  allow("kafka:describe group:g");
  EXPECT_TRUE(ask<OffsetFetchResponse>(ApiKey::offset_fetch, 8, offsets).groups.at(0).topics.empty());
  EXPECT_TRUE(ask<MetadataResponse>(ApiKey::metadata, 10, request).topics.empty());
  forbid_everything();
  EXPECT_TRUE(ask<ListGroupsResponse>(ApiKey::list_groups, 4, ListGroupsRequest{}).groups.empty());
}

class NoAuthorizationTest : public ServerFixture {};

TEST_F(NoAuthorizationTest, AclApisSayThatThereIsNone) {
  CreateAclsRequest create;
  create.creations.push_back({2, "x", 3, "User:y", "*", 3, 3});
  const auto made = ask<CreateAclsResponse>(ApiKey::create_acls, 2, create);
  EXPECT_EQ(made.results.at(0).error_code, code(KafkaError::security_disabled));
  const auto found = ask<DescribeAclsResponse>(ApiKey::describe_acls, 2, DescribeAclsRequest{});
  EXPECT_EQ(found.error_code, code(KafkaError::security_disabled));
  EXPECT_NE(found.error_message->find("kafka.authorization"), std::string_view::npos);
}

TEST_F(NoAuthorizationTest, QuotasAreRefusedAndNoneAreFound) {
  const auto found =
      ask<DescribeClientQuotasResponse>(ApiKey::describe_client_quotas, 1, DescribeClientQuotasRequest{});
  EXPECT_EQ(found.error_code, 0);
  ASSERT_TRUE(found.entries);
  EXPECT_TRUE(found.entries->empty());
  AlterClientQuotasRequest alter;
  auto& set = alter.entries.emplace_back();
  set.entity.push_back({"user", "ann"});
  set.ops.push_back({"producer_byte_rate", 1024.5, false});
  auto& removed = alter.entries.emplace_back();
  removed.entity.push_back({"client-id", std::nullopt});
  removed.ops.push_back({"producer_byte_rate", 0, true});
  const auto answer = ask<AlterClientQuotasResponse>(ApiKey::alter_client_quotas, 0, alter);
  EXPECT_EQ(answer.entries.at(0).error_code, code(KafkaError::invalid_request));
  EXPECT_EQ(answer.entries.at(0).entity.at(0).entity_name, "ann");
  EXPECT_EQ(answer.entries.at(1).error_code, 0);
}

}  // namespace
}  // namespace millrace::kafka::testing
