// Rules that ask beyond their message: what they ask, what becomes of the answers, and that nothing is done or counted
// while one is missing.
#include <gtest/gtest.h>

#include <map>

#include "rules/evaluator.h"

namespace millrace::rules {
namespace {

using State = sql::Outside::State;
using Kind = sql::Reference::Kind;

/// "table key/sort" or "function payload" to its answer; others wait.
class Answers final : public sql::Outside {
 public:
  Answer ask(const sql::Question& question) override {
    std::string text = std::string(question.name) + " " + std::string(question.argument);
    if (question.sort) text += "/" + std::string(*question.sort);
    asked.push_back(text);
    const auto found = known.find(text);
    return found == known.end() ? Answer{State::waiting, {}} : Answer{found->second.first, found->second.second};
  }
  const sql::ProtobufSchema* schema(std::string_view) override { return nullptr; }
  std::map<std::string, std::pair<State, std::string>> known;
  std::vector<std::string> asked;
};

class OutsideTest : public ::testing::Test {
 protected:
  void SetUp() override { evaluator_.set_outside(&answers_); }
  Result<std::shared_ptr<const RuleSet>> compiled(const std::string& sql) {
    RuleDefinition definition;
    definition.name = "r";
    definition.sql = sql;
    ActionDefinition action;
    action.kafka.topic = "out";
    definition.actions.push_back(action);
    action.kafka.topic = "errors";
    definition.error_action = action;
    return RuleSet::compile({definition});
  }
  /// The output, "(waits)", "(nothing)", or the reason of the failure.
  std::string run(const std::string& sql, const std::string& payload = R"({"id":"a","n":7})") {
    auto rules = compiled(sql);
    if (!rules) return rules.error().detail;
    rules_ = *rules;
    return run_again(payload);
  }
  std::string run_again(const std::string& payload = R"({"id":"a","n":7})") {
    answers_.asked.clear();
    DeviceMessage message;
    message.topic = "t";
    message.payload = as_bytes(payload);
    message.client_id = "c";
    const auto outcome = evaluator_.evaluate(*rules_, message);
    if (outcome.waits) return "(waits)";
    if (outcome.outputs.empty()) return "(nothing)";
    const std::string value(as_text(outcome.outputs[0].value));
    if (outcome.outputs[0].action != kErrorAction) return value;
    const std::size_t at = value.find("errorMessage\":\"") + 15;
    return value.substr(at, value.find('"', at) - at);
  }
  [[nodiscard]] const RuleCounters& counters() const { return *rules_->rules().front()->counters; }

  Answers answers_;
  Evaluator evaluator_{1};
  std::shared_ptr<const RuleSet> rules_;
};

TEST_F(OutsideTest, EveryFormAsksForItsRow) {
  answers_.known = {
      {"t a", {State::known, R"({"x":1,"y":{"z":"q"}})"}},  {"t a/7", {State::known, R"(["s"])"}},
      {"thing_shadows c", {State::known, R"({"s":1})"}},    {"thing_shadows c/n", {State::known, R"({"s":2})"}},
      {"things c", {State::known, R"({"thingName":"c"})"}}, {"thing_groups c", {State::known, "plain text"}},
      {"f {\"a\":7}", {State::known, R"({"twice":14})"}}};
  EXPECT_EQ(run("SELECT get_dynamodb('t', 'k', id).y.z AS z FROM 't'"), R"({"z":"q"})");
  EXPECT_EQ(run("SELECT get_dynamodb('t', 'k', id, 'arn:role').x AS x FROM 't'"), R"({"x":1})");
  EXPECT_EQ(run("SELECT get_dynamodb('t', 'k', id, 's', n) AS x FROM 't'"), R"({"x":["s"]})");
  EXPECT_EQ(run("SELECT get_dynamodb('t', 'k', id, 's', n, 'arn:role') AS x FROM 't'"), R"({"x":["s"]})");
  EXPECT_EQ(run("SELECT lookup('t', id, n) AS x FROM 't'"), R"({"x":["s"]})");
  EXPECT_EQ(run("SELECT get_thing_shadow(clientid(), 'role') AS x FROM 't'"), R"({"x":{"s":1}})");
  EXPECT_EQ(run("SELECT get_thing_shadow(clientid(), 'n', 'role') AS x FROM 't'"), R"({"x":{"s":2}})");
  EXPECT_EQ(run("SELECT get_registry_data('DescribeThing', clientid(), 'role').thingName AS x FROM 't'"),
            R"({"x":"c"})");
  EXPECT_EQ(run("SELECT get_registry_data('ListThingGroupsForThing', 'c') AS x FROM 't'"), R"({"x":"plain text"})");
  EXPECT_EQ(run("SELECT aws_lambda('arn:aws:lambda:r:1:function:f:live', {'a': n}).twice AS x FROM 't'"),
            R"({"x":14})");
  EXPECT_EQ(run("SET @r = lookup('t', id) SELECT @r.x AS a, @r.y.z AS b FROM 't'"), R"({"a":1,"b":"q"})");
}

TEST_F(OutsideTest, NothingHappensWhileAnAnswerIsMissing) {
  EXPECT_EQ(run("SELECT lookup('t', id).x AS x, lookup('u', n).x AS y FROM 't' WHERE n > 1"), "(waits)");
  EXPECT_EQ(answers_.asked, (std::vector<std::string>{"t a", "u 7"}));  // both at once
  EXPECT_EQ(counters().matched + counters().failed + counters().not_passed, 0U);
  answers_.known = {{"t a", {State::known, R"({"x":1})"}}, {"u 7", {State::absent, ""}}};
  EXPECT_EQ(run_again(), R"({"x":1})");
  EXPECT_EQ(counters().matched, 1U);
  EXPECT_EQ(run_again(R"({"id":"z","n":0})"), "(nothing)");  // WHERE decides without asking
  EXPECT_TRUE(answers_.asked.empty());
}

TEST_F(OutsideTest, AFunctionIsCalledOnlyWhenAllInFrontOfItIsKnown) {
  const std::string sql = "SELECT aws_lambda('f', {'owner': nanvl(lookup('t', id).owner, 'nobody')}) AS x FROM 't'";
  EXPECT_EQ(run(sql), "(waits)");
  EXPECT_EQ(answers_.asked, std::vector<std::string>{"t a"});
  answers_.known["t a"] = {State::known, R"({"owner":"kim"})"};
  EXPECT_EQ(run_again(), "(waits)");
  EXPECT_EQ(answers_.asked.back(), R"(f {"owner":"kim"})");
  answers_.known[R"(f {"owner":"kim"})"] = {State::known, "5"};
  EXPECT_EQ(run_again(), R"({"x":5})");
  answers_.known["t a"] = {State::failed, "away"};
  EXPECT_EQ(run_again(), "table t: away");
  EXPECT_EQ(answers_.asked.back(), "t a");  // the function is left alone
}

TEST_F(OutsideTest, AFailedQuestionFailsTheRule) {
  answers_.known = {{"t a", {State::failed, "the database is away"}}};
  EXPECT_EQ(run("SELECT lookup('t', id).x AS x, n FROM 't'"), "table t: the database is away");
  EXPECT_EQ(counters().failed, 1U);
  EXPECT_EQ(counters().failed_question, 1U);
  EXPECT_EQ(run("SELECT n FROM 't' WHERE lookup('t', id).x = 1"), "table t: the database is away");
  EXPECT_EQ(run("SELECT decode('AAAA', 'proto', 'd', 'M') AS x FROM 't'"), "descriptor d: it is not registered");
  evaluator_.set_outside(nullptr);
  EXPECT_EQ(run("SELECT lookup('t', id).x AS x FROM 't'"), "table t: nothing is asked while a rule is only tried");
}

TEST_F(OutsideTest, WhatIsUndefinedIsNotAskedFor) {
  EXPECT_EQ(run("SELECT lookup('t', absent).x AS x, n FROM 't'"), R"({"n":7})");
  EXPECT_EQ(run("SELECT aws_lambda('f', absent).x AS x, n FROM 't'"), R"({"n":7})");
  EXPECT_TRUE(answers_.asked.empty());
}

TEST_F(OutsideTest, ErrorActionsCannotAsk) {
  RuleDefinition definition;
  definition.name = "r";
  definition.sql = "SELECT * FROM 't'";
  ActionDefinition action;
  action.kafka.topic = "out-${lookup('t', id)}";
  definition.actions.push_back(action);
  EXPECT_TRUE(RuleSet::compile({definition}));
  definition.error_action = action;
  const auto refused = RuleSet::compile({definition});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("can ask nothing"), std::string::npos) << refused.error().detail;
}

TEST_F(OutsideTest, ARuleTellsWhatItNames) {
  const auto rules = compiled(
      "SELECT lookup('t', id) AS x, aws_lambda('f', n) AS y, decode(z, 'proto', 'b', 'd', 'p', 'M') AS z FROM 't'");
  ASSERT_TRUE(rules) << rules.error().detail;
  EXPECT_EQ((*rules)->rules().front()->references(),
            (std::vector<sql::Reference>{{Kind::table, "t"}, {Kind::function, "f"}, {Kind::descriptor, "d", "M"}}));
  EXPECT_TRUE((*rules)->asks());
  EXPECT_FALSE((*rules)->republishes());
}

}  // namespace
}  // namespace millrace::rules
