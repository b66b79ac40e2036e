// ACLs: their text, Kafka's rule of who may do what, changes that are seen when they are durable.
#include "auth/acl_access.h"
#include "auth/permissions.h"
#include "base/queue_executor.h"

#include <gtest/gtest.h>

namespace millrace::auth {
namespace {

Acl acl(std::string_view line) {
  auto parsed = parse_acl(line);
  EXPECT_TRUE(parsed) << line << ": " << (parsed ? "" : parsed.error().message());
  return parsed ? *parsed : Acl{};
}

AclTable table(const std::vector<std::string_view>& lines) {
  std::set<Acl> stored;
  for (const std::string_view line : lines) stored.insert(acl(line));
  return AclTable(std::move(stored), {});
}

TEST(Acl, TextSurvives) {
  for (const std::string_view line : {
           "allow user:ann kafka:read topic:message-log",
           "allow user:ann kafka:read group:dash-*",
           "allow * kafka:describe cluster",
           "deny anonymous from 10.0.0.7 kafka:all topic:*",
           "allow user:CN=a%20b,%20O=c kafka:write transactional-id:t%25",
           "allow user:ann kafka:delete group:odd%2A%20name%2A*",
       }) {
    EXPECT_EQ(to_text(acl(line)), line);
  }
  EXPECT_EQ(acl("allow  user:CN=a%20b\tkafka:read  topic:x").principal, "User:CN=a b");
  EXPECT_EQ(acl("allow * kafka:read group:a%2A").pattern, AclPattern::literal);
  EXPECT_EQ(acl("allow * kafka:read group:a%2A").name, "a*");
}

TEST(Acl, WhatIsWrongIsSaid) {
  for (const std::string_view line : {
           "",
           "permit * kafka:read topic:x",
           "allow ann kafka:read topic:x",
           "allow user:* kafka:read topic:x",
           "allow * kafka:eat topic:x",
           "allow * kafka:any topic:x",
           "allow * kafka:read",
           "allow * kafka:read topic",
           "allow * kafka:read topic:",
           "allow * kafka:read topic:a*b",
           "allow * kafka:read topic:a more",
           "allow * kafka:read cluster:x",
           "allow * kafka:read cluster",
           "allow * kafka:write group:g",
           "allow * from kafka:read topic:x",
           "allow user:a%2 kafka:read topic:x",
       }) {
    EXPECT_FALSE(parse_acl(line)) << line;
  }
}

TEST(Acl, DeniedUnlessAllowedAndADenialWins) {
  const AclSubject ann{"User:ann", "10.0.0.7"};
  const AclSubject bob{"User:bob", "10.0.0.8"};
  const AclTable acls = table({"allow user:ann kafka:read topic:log", "allow user:ann kafka:write topic:log-*",
                               "deny user:ann kafka:write topic:log-secret", "allow * kafka:describe group:*",
                               "deny * from 10.0.0.8 kafka:all topic:log", "allow user:bob kafka:all topic:*"});
  using enum AclOperation;
  const auto topic = AclResource::topic;
  EXPECT_TRUE(acls.allows(ann, read, topic, "log"));
  EXPECT_TRUE(acls.allows(ann, describe, topic, "log")) << "who may read may describe";
  EXPECT_FALSE(acls.allows(ann, write, topic, "log"));
  EXPECT_FALSE(acls.allows(ann, read, topic, "log-a"));
  EXPECT_TRUE(acls.allows(ann, write, topic, "log-a"));
  EXPECT_FALSE(acls.allows(ann, write, topic, "log-secret"));
  EXPECT_TRUE(acls.allows(ann, describe, topic, "log-secret")) << "only writing is denied, and write grants it";
  EXPECT_TRUE(acls.allows(bob, describe, AclResource::group, "g"));
  EXPECT_FALSE(acls.allows(bob, read, AclResource::group, "g"));
  EXPECT_FALSE(acls.allows(bob, read, topic, "log")) << "his host is denied";
  EXPECT_TRUE(acls.allows(bob, alter_configs, topic, "other"));
  EXPECT_FALSE(acls.allows({"User:carl", "::1"}, read, topic, "log"));
}

TEST(Acl, SomeResourceOfAKind) {
  const AclSubject ann{"User:ann", "h"};
  const auto may_write = [&](const std::vector<std::string_view>& lines) {
    return table(lines).allows_any(ann, AclOperation::write, AclResource::topic);
  };
  EXPECT_FALSE(may_write({}));
  EXPECT_TRUE(may_write({"allow user:ann kafka:write topic:x"}));
  EXPECT_FALSE(may_write({"allow user:ann kafka:write topic:x", "deny user:ann kafka:write topic:x"}));
  EXPECT_FALSE(may_write({"allow user:ann kafka:write topic:x*", "deny user:ann kafka:all topic:x*"}));
  EXPECT_TRUE(may_write({"allow user:ann kafka:write topic:x*", "deny user:ann kafka:write topic:x"}));
  EXPECT_FALSE(may_write({"allow user:ann kafka:all topic:*", "deny * kafka:write topic:*"}));
}

TEST(Acl, AResourceWithoutAclsMayBeOpenToEverybody) {
  const AclTable acls({acl("allow user:ann kafka:read topic:log"), acl("deny user:bob kafka:write topic:*")}, {}, true);
  const AclSubject carl{"User:carl", "h"};
  EXPECT_FALSE(acls.allows(carl, AclOperation::read, AclResource::topic, "log"));
  EXPECT_FALSE(acls.allows(carl, AclOperation::read, AclResource::topic, "other")) << "the denial is about it";
  EXPECT_TRUE(acls.allows(carl, AclOperation::read, AclResource::group, "g"));
  EXPECT_TRUE(acls.allows_any(carl, AclOperation::write, AclResource::topic));
  EXPECT_FALSE(acls.allows_any({"User:bob", "h"}, AclOperation::write, AclResource::topic));
}

TEST(Acl, FilterMatches) {
  const Acl prefixed = acl("allow user:ann kafka:read topic:log-*");
  EXPECT_TRUE(AclFilter{}.matches(prefixed));
  AclFilter filter{.resource = AclResource::topic, .name = "log-a", .pattern = AclPattern::match};
  EXPECT_TRUE(filter.matches(prefixed));
  EXPECT_TRUE(filter.matches(acl("allow * kafka:read topic:*")));
  EXPECT_FALSE(filter.matches(acl("allow * kafka:read topic:other")));
  EXPECT_FALSE(filter.matches(acl("allow * kafka:read group:log-a")));
  filter.pattern = AclPattern::any;
  EXPECT_FALSE(filter.matches(prefixed));
  filter = {.principal = "User:ann", .operation = AclOperation::read};
  EXPECT_TRUE(filter.matches(prefixed));
  filter.verdict = AclVerdict::deny;
  EXPECT_FALSE(filter.matches(prefixed));
}

struct HeldStorage final : Storage {
  void put(std::string_view name, const std::optional<std::string>& text, Done done) override {
    puts.emplace_back(std::string(name), text.has_value());
    waiting.push_back(std::move(done));
  }
  std::vector<std::pair<std::string, bool>> puts;
  std::vector<Done> waiting;
};

TEST(Acl, AChangeIsSeenWhenItIsDurable) {
  QueueExecutor loop;
  HeldStorage storage;
  Acls acls(true);
  std::optional<Result<void>> outcome;
  const auto change = [&](AclChange what) {
    outcome.reset();
    acls.change([what](const AclTable&) { return what; }, loop,
                [&](Result<void> result) { outcome = std::move(result); });
    loop.run_ready();
  };
  const Acl one = acl("allow user:ann kafka:read topic:log");
  const Acl two = acl("allow user:ann kafka:read group:g");
  change({{one}, {}});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error().code, ErrorCode::unavailable);
  acls.set_storage(storage, loop);
  AclAccess ann(acls, {"ann", Proof::scram}, "[::1]:5000", false);
  change({{one, two}, {}});
  EXPECT_FALSE(outcome);
  EXPECT_FALSE(ann.may(AclOperation::read, AclResource::topic, "log"));
  storage.waiting[0]({});
  EXPECT_TRUE(acls.table()->stored().empty()) << "both or none";
  storage.waiting[1]({});
  loop.run_ready();
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_TRUE(ann.may(AclOperation::read, AclResource::topic, "log")) << "a remembered verdict ends with the table";
  change({{one}, {two}});
  ASSERT_EQ(storage.puts.size(), 3U) << "what is there already is not written again";
  EXPECT_EQ(storage.puts[2], std::pair(to_text(two), false));
  storage.waiting[2](fail(ErrorCode::io_error, "disk"));
  loop.run_ready();
  EXPECT_FALSE(*outcome);
  EXPECT_TRUE(ann.may(AclOperation::read, AclResource::group, "g"));
  acls.restore(to_text(two), false);
  EXPECT_FALSE(ann.may(AclOperation::read, AclResource::group, "g"));
}

TEST(Acl, OneFileHasRulesOfBothKinds) {
  const auto permissions = Permissions::parse("allow * publish a/#\n# Kafka\nallow user:ann kafka:read topic:log\n");
  ASSERT_TRUE(permissions);
  EXPECT_EQ((*permissions)->rules().size(), 1U);
  ASSERT_EQ((*permissions)->acls().size(), 1U);
  EXPECT_EQ((*permissions)->acls()[0], acl("allow user:ann kafka:read topic:log"));
  const auto wrong = Permissions::parse("allow * publish a/#\nallow user:ann kafka:eat topic:log\n");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace millrace::auth
