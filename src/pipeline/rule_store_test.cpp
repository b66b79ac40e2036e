#include "pipeline/rule_store.h"

#include <gtest/gtest.h>

#include "base/queue_executor.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"
#include "metrics/registry.h"
#include "topics/embedded/embedded_topic_log.h"

namespace millrace::pipeline {
namespace {

rules::RuleDefinition rule(std::string name, std::string sql = "SELECT * FROM 'a'") {
  rules::RuleDefinition out;
  out.name = std::move(name);
  out.sql = std::move(sql);
  rules::ActionDefinition action;
  action.kafka.topic = "out-${topic()}";
  action.kafka.key = "\"k\"";
  action.kafka.headers.push_back({"h", "${a}"});
  out.actions.push_back(action);
  action = {};
  action.kind = rules::ActionDefinition::Kind::republish;
  action.republish = {"x/y", 1, true};
  out.error_action = action;
  return out;
}

class RuleStoreTest : public ::testing::Test {
 protected:
  RuleStoreTest() : files_(*io::PosixFileSystem::open(directory_.path())) { start(); }
  ~RuleStoreTest() override { stop(); }

  void stop() {
    store_.reset();
    slot_.reset();
    log_.reset();
  }
  void start() {
    stop();
    topics::EmbeddedSettings settings;
    settings.log.journal_file_bytes = 1_MiB;
    log_ = *topics::EmbeddedTopicLog::open(*files_, clock_, metrics_, settings,
                                           [](const Error& error) { ADD_FAILURE() << error.message(); });
    slot_ = std::make_unique<RuleSetSlot>(*rules::RuleSet::compile(configured_));
    std::optional<Result<std::shared_ptr<RuleStore>>> answer;
    RuleStore::open(
        *log_, clock_, loop_, *slot_, configured_, [](rules::RuleDefinition&) { return Result<void>(); },
        [&](auto opened) { answer = std::move(opened); });
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }));
    ASSERT_TRUE(*answer) << answer->error().message();
    store_ = **answer;
  }
  /// The error's code, or nullopt when it went well.
  template <class Change>
  std::optional<ErrorCode> result_of(Change change) {
    std::optional<Result<void>> answer;
    change([&](Result<void> result) { answer = std::move(result); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }));
    return *answer ? std::nullopt : std::optional(answer->error().code);
  }
  auto create(rules::RuleDefinition definition) {
    return result_of([&](auto done) { store_->create(std::move(definition), std::move(done)); });
  }
  auto replace(rules::RuleDefinition definition) {
    return result_of([&](auto done) { store_->replace(std::move(definition), std::move(done)); });
  }
  std::string in_force() const {
    std::string out;
    for (const auto& one : slot_->current()->rules()) {
      out += one->name + (one->disabled ? "(off) " : " ");
    }
    return out;
  }

  io::TemporaryDirectory directory_;
  SystemClock clock_;
  metrics::Registry metrics_;
  std::unique_ptr<io::PosixFileSystem> files_;
  std::unique_ptr<topics::EmbeddedTopicLog> log_;
  std::unique_ptr<RuleSetSlot> slot_;
  QueueExecutor loop_;
  std::vector<rules::RuleDefinition> configured_{rule("configured")};
  std::shared_ptr<RuleStore> store_;
};

TEST_F(RuleStoreTest, ChangesAreInForceAndSurviveARestart) {
  EXPECT_EQ(in_force(), "configured ");
  EXPECT_EQ(create(rule("b")), std::nullopt);
  EXPECT_EQ(create(rule("c", "SELECT a, 'x\"y' AS q FROM 'a/#' WHERE b > 1 -- why")), std::nullopt);
  EXPECT_EQ(in_force(), "configured b c ");
  EXPECT_EQ(replace(rule("b", "SELECT b FROM 'b'")), std::nullopt);
  EXPECT_EQ(result_of([&](auto done) { store_->set_disabled("c", true, std::move(done)); }), std::nullopt);
  EXPECT_EQ(in_force(), "configured b c(off) ");
  const rules::RuleDefinition before = store_->find("c")->rule;

  start();
  EXPECT_EQ(in_force(), "configured b c(off) ");
  EXPECT_EQ(store_->find("b")->rule.sql, "SELECT b FROM 'b'");
  EXPECT_EQ(store_->find("b")->version, 2U);
  EXPECT_EQ(store_->find("c")->rule, before);
  ASSERT_EQ(store_->versions("b").size(), 1U);
  EXPECT_EQ(store_->versions("b")[0].rule.sql, "SELECT * FROM 'a'");
  EXPECT_EQ(result_of([&](auto done) { store_->remove("b", std::move(done)); }), std::nullopt);
  EXPECT_EQ(in_force(), "configured c(off) ");

  start();
  EXPECT_EQ(in_force(), "configured c(off) ");
  EXPECT_TRUE(store_->versions("b").empty());
}

TEST_F(RuleStoreTest, WrongChangesAreRefusedAndChangeNothing) {
  EXPECT_EQ(create(rule("b")), std::nullopt);
  EXPECT_EQ(create(rule("b")), ErrorCode::already_exists);
  EXPECT_EQ(create(rule("configured")), ErrorCode::invalid_argument);
  EXPECT_EQ(create(rule("d", "SELECT")), ErrorCode::invalid_argument);
  EXPECT_EQ(replace(rule("e")), ErrorCode::not_found);
  EXPECT_EQ(replace(rule("b", "SELECT")), ErrorCode::invalid_argument);
  EXPECT_EQ(result_of([&](auto done) { store_->remove("e", std::move(done)); }), ErrorCode::not_found);
  EXPECT_EQ(in_force(), "configured b ");
  EXPECT_EQ(store_->find("b")->rule.sql, "SELECT * FROM 'a'");
}

TEST_F(RuleStoreTest, RulesOfTheConfigurationAreShownAndNotChanged) {
  EXPECT_EQ(create(rule("a")), std::nullopt);
  const auto all = store_->all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]->rule.name, "a");
  EXPECT_EQ(all[1]->rule.name, "configured");
  EXPECT_EQ(store_->find("configured")->version, 0U);
  EXPECT_EQ(replace(rule("configured")), ErrorCode::invalid_argument);
  EXPECT_EQ(result_of([&](auto done) { store_->set_disabled("configured", true, std::move(done)); }),
            ErrorCode::invalid_argument);
  EXPECT_EQ(result_of([&](auto done) { store_->remove("configured", std::move(done)); }), ErrorCode::invalid_argument);
  EXPECT_EQ(in_force(), "configured a ");
}

TEST_F(RuleStoreTest, AStoredRuleGivesWayToOneOfTheConfiguration) {
  EXPECT_EQ(create(rule("b", "SELECT * FROM 'stored'")), std::nullopt);
  configured_ = {rule("b")};
  start();
  EXPECT_EQ(in_force(), "b ");
  EXPECT_EQ(store_->all().size(), 1U);
  EXPECT_EQ(store_->find("b")->rule.sql, "SELECT * FROM 'a'");
}

TEST_F(RuleStoreTest, TheLastVersionsAreKept) {
  EXPECT_EQ(create(rule("b")), std::nullopt);
  for (int i = 0; i < 13; ++i)
    EXPECT_EQ(replace(rule("b", "SELECT * FROM 'v" + std::to_string(i) + "'")), std::nullopt);
  start();
  const auto versions = store_->versions("b");
  ASSERT_EQ(versions.size(), RuleStore::kKeptVersions);
  EXPECT_EQ(versions.front().version, 4U);
  EXPECT_EQ(versions.back().version, 13U);
  EXPECT_EQ(store_->find("b")->version, 14U);
}

}  // namespace
}  // namespace millrace::pipeline
