// The evaluator end to end: rules in, device messages in, outputs out. Language details are in tests/rules/*.test.
#include "rules/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace millrace::rules {
namespace {

using testing::HasSubstr;

RuleDefinition scenario_rule() {
  RuleDefinition rule;
  rule.name = "report_to_kafka";
  rule.sql = R"(SELECT *, parse_time("yyyy-MM-dd'T'HH:mm:ssz", timestamp()) as timestamp FROM 'report')";
  ActionDefinition action;
  action.kafka.topic = "message-${type}";
  action.kafka.key = "${device_no}";
  rule.actions.push_back(action);
  ActionDefinition error;
  error.kafka.topic = "rule-errors";
  rule.error_action = error;
  return rule;
}

std::shared_ptr<const RuleSet> compiled(std::vector<RuleDefinition> definitions, const RuleSet* previous = nullptr) {
  auto set = RuleSet::compile(std::move(definitions), previous);
  EXPECT_TRUE(set) << set.error().message();
  return set ? *set : nullptr;
}

DeviceMessage message(std::string_view topic, std::string_view payload) {
  DeviceMessage out;
  out.topic = topic;
  out.payload = as_bytes(payload);
  out.client_id = "terminal-7";
  out.received_at = WallTime{1'700'000'000'123};
  return out;
}

TEST(Evaluator, ScenarioA) {
  const auto rules = compiled({scenario_rule()});
  Evaluator evaluator(1);
  const auto outcome =
      evaluator.evaluate(*rules, message("report", R"({"type":"log","device_no":1234567890123456789,"speed":10.50})"));
  EXPECT_EQ(outcome.matched, 1U);
  ASSERT_EQ(outcome.outputs.size(), 1U);
  const RuleOutput& out = outcome.outputs[0];
  EXPECT_EQ(out.topic, "message-log");
  ASSERT_TRUE(out.key);
  EXPECT_EQ(as_text(*out.key), "1234567890123456789");
  EXPECT_EQ(as_text(out.value),
            R"({"type":"log","device_no":1234567890123456789,"speed":10.50,"timestamp":"2023-11-14T22:13:20UTC"})");
  EXPECT_EQ(rules->rules()[0]->counters->matched.load(), 1U);
}

TEST(Evaluator, AnUnresolvedTemplateGoesToTheErrorAction) {
  const auto rules = compiled({scenario_rule()});
  Evaluator evaluator(1);
  const auto outcome = evaluator.evaluate(*rules, message("report", R"({"device_no":"d1"})"));
  ASSERT_EQ(outcome.outputs.size(), 1U);
  const RuleOutput& out = outcome.outputs[0];
  EXPECT_EQ(out.action, kErrorAction);
  EXPECT_EQ(out.topic, "rule-errors");
  const std::string value(as_text(out.value));
  EXPECT_THAT(value, HasSubstr(R"({"ruleName":"report_to_kafka","topic":"report","cloudwatchTraceId":")"));
  EXPECT_THAT(value, HasSubstr(R"("clientId":"terminal-7","base64OriginalPayload":"eyJkZXZpY2Vfbm8iOiJkMSJ9",)"));
  EXPECT_THAT(value, HasSubstr(R"("failures":[{"failedAction":"KafkaAction","failedResource":"message-${type}",)"));
  EXPECT_THAT(value, HasSubstr("${type} is undefined for this message"));
  EXPECT_EQ(rules->rules()[0]->counters->actions_failed.load(), 1U);
  EXPECT_EQ(rules->rules()[0]->counters->error_actions.load(), 1U);
}

TEST(Evaluator, BrokenJsonGoesToTheErrorAction) {
  const auto rules = compiled({scenario_rule()});
  Evaluator evaluator(1);
  const auto outcome = evaluator.evaluate(*rules, message("report", R"({"type":"log","device_no":)"));
  ASSERT_EQ(outcome.outputs.size(), 1U);
  EXPECT_EQ(outcome.outputs[0].action, kErrorAction);
  EXPECT_THAT(std::string(as_text(outcome.outputs[0].value)),
              HasSubstr("the payload is not JSON: unexpected end at byte 26"));
  EXPECT_EQ(rules->rules()[0]->counters->failed.load(), 1U);
}

TEST(Evaluator, ARuleWithoutFuelHasItsErrorMessage) {
  log::set_level(log::Level::off);
  RuleDefinition rule = scenario_rule();
  rule.sql = "SET @v0 = [1, 1]";
  for (int i = 1; i < 60; ++i) {
    const std::string before = "@v" + std::to_string(i - 1);
    rule.sql += ", @v" + std::to_string(i) + " = [" + before + ", " + before + "]";
  }
  rule.error_action->kafka.key = "${device_no}";
  for (const char* const rest : {
           " SELECT @v59 AS x FROM 'report'",
           " SELECT VALUE @v59 FROM 'report'",
           " SELECT 1 AS x.y, @v59 AS x.z FROM 'report'",
           " SELECT *, @v59 AS x FROM 'report'",
           " SELECT length(@v59) AS x FROM 'report'",
           " SELECT 1 AS x FROM 'report' WHERE @v59 = @v59",
           " SELECT @v59 + '' AS x FROM 'report'",
       }) {
    RuleDefinition one = rule;
    one.sql += rest;
    const auto rules = compiled({one});
    Evaluator evaluator(1);
    const auto outcome = evaluator.evaluate(*rules, message("report", R"({"type":"log","device_no":"T1"})"));
    ASSERT_EQ(outcome.outputs.size(), 1U) << rest;
    EXPECT_EQ(outcome.outputs[0].action, kErrorAction) << rest;
    EXPECT_EQ(as_text(*outcome.outputs[0].key), "T1") << rest;
    EXPECT_THAT(as_text(outcome.outputs[0].value), HasSubstr("takes more work than one message may cost")) << rest;
    EXPECT_EQ(rules->rules()[0]->counters->failed_fuel.load(), 1U) << rest;
  }
  log::set_level(log::Level::info);
}

TEST(Evaluator, OneBrokenPayloadMakesSoManyErrorMessages) {
  log::set_level(log::Level::off);
  std::vector<RuleDefinition> definitions;
  constexpr std::size_t kRules = 1500;
  for (std::size_t i = 0; i < kRules; ++i) {
    definitions.push_back(scenario_rule());
    definitions.back().name = "r" + std::to_string(i);
    definitions.back().sql = "SELECT a FROM 'report' WHERE d = " + std::to_string(i);
  }
  definitions.back().sql = "SELECT * FROM 'report'";
  definitions.back().actions[0].kafka = {.topic = "all", .key = "", .partition = "", .headers = {}};
  const auto rules = compiled(definitions);
  const auto failed = [&] { return rules->totals().values[2]; };
  Evaluator evaluator(1);
  // The last looks into nothing: it has its output beside 1,000 error messages.
  const auto outcome = evaluator.evaluate(*rules, message("report", "{"));
  EXPECT_EQ(outcome.outputs.size(), 1001U);
  EXPECT_EQ(outcome.matched, kRules);
  EXPECT_EQ(outcome.outputs.back().topic, "all");
  EXPECT_EQ(rules->rules()[0]->counters->failed.load(), 1U);
  EXPECT_EQ(failed(), kRules - 1);
  // Each holds the payload: of a large one there are few.
  const std::string large = "{\"a\":\"" + std::string(1 << 20, 'x');
  EXPECT_EQ(evaluator.evaluate(*rules, message("report", large)).outputs.size(), 7U);
  const std::string larger = "{\"a\":\"" + std::string(16 << 20, 'x');
  EXPECT_EQ(evaluator.evaluate(*rules, message("report", larger)).outputs.size(), 2U);
  EXPECT_EQ(failed(), 3 * (kRules - 1));
  EXPECT_EQ(evaluator.evaluate(*rules, message("report", "{")).outputs.size(), 1001U);
  log::set_level(log::Level::info);
}

TEST(Evaluator, DepthIsASetting) {
  RuleDefinition rule = scenario_rule();
  rule.error_action.reset();
  const auto rules = compiled({rule});
  Evaluator evaluator(1);
  const auto passes = [&](int depth) {
    const auto n = static_cast<std::size_t>(depth - 1);
    const std::string payload = R"({"type":"a","device_no":1,"x":)" + std::string(n, '[') + std::string(n, ']') + "}";
    return !evaluator.evaluate(*rules, message("report", payload)).outputs.empty();
  };
  log::set_level(log::Level::off);
  EXPECT_TRUE(passes(64));
  EXPECT_FALSE(passes(65));
  evaluator.set_max_json_depth(65);
  EXPECT_TRUE(passes(65));
  log::set_level(log::Level::info);
}

TEST(Evaluator, OtherTopicsMatchNothing) {
  const auto rules = compiled({scenario_rule()});
  Evaluator evaluator(1);
  EXPECT_EQ(evaluator.evaluate(*rules, message("reports", "{}")).matched, 0U);
}

RuleDefinition rule_of(std::string name, std::string sql, ActionDefinition action) {
  RuleDefinition rule;
  rule.name = std::move(name);
  rule.sql = std::move(sql);
  rule.actions.push_back(std::move(action));
  return rule;
}
ActionDefinition to_kafka(std::string topic, std::string key = "", std::string partition = "") {
  ActionDefinition action;
  action.kafka = {std::move(topic), std::move(key), std::move(partition), {}};
  return action;
}
ActionDefinition to_mqtt(std::string topic, int qos = 0, bool retain = false) {
  ActionDefinition action;
  action.kind = ActionDefinition::Kind::republish;
  action.republish = {std::move(topic), qos, retain};
  return action;
}

TEST(Evaluator, SeveralRulesAndActionsForOneMessage) {
  RuleDefinition first = rule_of("first", "SELECT a FROM 'in/#'", to_kafka("one", "${a}", "${p}"));
  first.actions[0].kafka.headers.push_back({"type-${p}", "${a}"});
  first.actions.push_back(to_mqtt("out/${topic(2)}", 1, true));
  const auto rules = compiled({first, rule_of("second", "SELECT b FROM '+/x' WHERE a = 'k'", to_kafka("two")),
                               rule_of("third", "SELECT b FROM 'in/x' WHERE a = 'other'", to_kafka("three"))});
  Evaluator evaluator(1);
  const auto outcome = evaluator.evaluate(*rules, message("in/x", R"({"a":"k","b":2,"p":3})"));
  EXPECT_EQ(outcome.matched, 2U);
  ASSERT_EQ(outcome.outputs.size(), 3U);
  EXPECT_EQ(outcome.outputs[0].topic, "one");
  EXPECT_EQ(outcome.outputs[0].partition, 3);
  ASSERT_EQ(outcome.outputs[0].headers.size(), 1U);
  EXPECT_EQ(outcome.outputs[0].headers[0].key, "type-3");
  EXPECT_EQ(as_text(*outcome.outputs[0].headers[0].value), "k");
  EXPECT_EQ(as_text(outcome.outputs[0].value), R"({"a":"k"})");
  EXPECT_EQ(outcome.outputs[1].kind, RuleOutput::Kind::republish);
  EXPECT_EQ(outcome.outputs[1].topic, "out/x");
  EXPECT_EQ(outcome.outputs[1].action, 1U);
  EXPECT_EQ(outcome.outputs[1].qos, 1);
  EXPECT_TRUE(outcome.outputs[1].retain);
  EXPECT_EQ(as_text(outcome.outputs[2].value), R"({"b":2})");
  EXPECT_FALSE(outcome.outputs[2].key);
  EXPECT_EQ(rules->rules()[2]->counters->not_passed.load(), 1U);
}

// Names made from payloads never reach what they must not: other people's topics stay out of reach of a device.
TEST(Evaluator, NamesFromPayloadsAreChecked) {
  const auto rules = compiled({rule_of("k", "SELECT * FROM 'k'", to_kafka("${t}")),
                               rule_of("p", "SELECT * FROM 'p'", to_kafka("x", "", "${t}")),
                               rule_of("m", "SELECT * FROM 'm'", to_mqtt("${t}")),
                               rule_of("s", "SELECT * FROM 's'", to_mqtt("$$SYS/${t}"))});
  Evaluator evaluator(1);
  const auto passes = [&](const char* topic, const std::string& value) {
    const std::string payload = "{\"t\":" + value + "}";
    return !evaluator.evaluate(*rules, message(topic, payload)).outputs.empty();
  };
  log::set_level(log::Level::off);
  EXPECT_TRUE(passes("k", "\"good.topic-1\""));
  for (const char* bad : {"\"__sessions\"", "\"a/b\"", "\"\"", "\"..\"", "\"a b\"", "null", "{}"}) {
    EXPECT_FALSE(passes("k", bad)) << bad;
  }
  EXPECT_TRUE(passes("p", "0"));
  EXPECT_TRUE(passes("p", "\"12\""));
  for (const char* bad : {"-1", "1.5", "\"x\"", "2147483648", "null"}) EXPECT_FALSE(passes("p", bad)) << bad;
  EXPECT_TRUE(passes("m", "\"a/b\""));
  for (const char* bad : {"\"a/+\"", "\"#\"", "\"\"", "\"$SYS/x\"", "\"a\\u0000\""})
    EXPECT_FALSE(passes("m", bad)) << bad;
  EXPECT_TRUE(passes("s", "\"x\""));
  log::set_level(log::Level::info);
}

TEST(Evaluator, OneErrorMessageListsAllFailedActions) {
  RuleDefinition rule = scenario_rule();
  rule.actions.push_back(to_kafka("other", "${serial}"));
  rule.actions.push_back(to_kafka("fine"));
  const auto rules = compiled({rule});
  Evaluator evaluator(1);
  const auto outcome = evaluator.evaluate(*rules, message("report", "{}"));
  ASSERT_EQ(outcome.outputs.size(), 2U);
  EXPECT_EQ(outcome.outputs[0].topic, "fine");
  EXPECT_EQ(outcome.outputs[1].action, kErrorAction);
  const std::string value(as_text(outcome.outputs[1].value));
  EXPECT_THAT(value, HasSubstr("${type} is undefined"));
  EXPECT_THAT(value,
              HasSubstr(R"({"failedAction":"KafkaAction","failedResource":"other","errorMessage":"key: ${serial} is)"));
  EXPECT_EQ(rules->rules()[0]->counters->actions_failed.load(), 2U);
}

TEST(Evaluator, FailuresAfterEvaluation) {
  const auto rules = compiled({scenario_rule()});
  Evaluator evaluator(1);
  const std::string payload = R"({"type":"log","device_no":"d1"})";
  const DeviceMessage report = message("report", payload);
  const auto outcome = evaluator.evaluate(*rules, report);
  ASSERT_EQ(outcome.outputs.size(), 1U);
  const RuleOutput failed = outcome.outputs[0];
  const auto error = evaluator.error_output(failed, report, "topic message-log does not exist");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->action, kErrorAction);
  EXPECT_EQ(error->topic, "rule-errors");
  EXPECT_THAT(std::string(as_text(error->value)),
              HasSubstr(R"("failedResource":"message-log","errorMessage":"topic message-log)"));
  // The outputs of evaluate() are still there; a second failure of this rule and message has no second error message.
  EXPECT_EQ(as_text(*outcome.outputs[0].key), "d1");
  EXPECT_FALSE(evaluator.error_output(failed, report, "again"));
  EXPECT_TRUE(evaluator.has_error_message(*failed.rule));
  // An error action's own failure goes no further.
  EXPECT_FALSE(evaluator.error_output(*error, report, "rule-errors does not exist"));
  EXPECT_EQ(rules->rules()[0]->counters->error_actions.load(), 1U);
}

TEST(Evaluator, ARuleWithoutErrorActionOnlyCounts) {
  RuleDefinition rule = scenario_rule();
  rule.error_action.reset();
  const auto rules = compiled({rule});
  Evaluator evaluator(1);
  log::set_level(log::Level::off);
  const auto outcome = evaluator.evaluate(*rules, message("report", "{}"));
  log::set_level(log::Level::info);
  EXPECT_TRUE(outcome.outputs.empty());
  EXPECT_EQ(outcome.matched, 1U);
  EXPECT_EQ(rules->rules()[0]->counters->actions_failed.load(), 1U);
}

TEST(Evaluator, BasicIngestReachesOneRule) {
  const auto rules = compiled({rule_of("BuildingManager", "SELECT topic() AS whole, topic(3) AS third", to_kafka("x")),
                               rule_of("all", "SELECT * FROM '#'", to_kafka("x"))});
  Evaluator evaluator(1);
  const auto outcome =
      evaluator.evaluate(*rules, message("$aws/rules/BuildingManager/Buildings/Building5/Floor2/Room201/Lights", "{}"));
  ASSERT_EQ(outcome.outputs.size(), 1U);
  EXPECT_EQ(as_text(outcome.outputs[0].value),
            R"({"whole":"Buildings/Building5/Floor2/Room201/Lights","third":"Floor2"})");
  EXPECT_EQ(evaluator.evaluate(*rules, message("$aws/rules/unknown/x", "{}")).matched, 0U);
}

TEST(Evaluator, ANewRuleSetIsSeenAtOnceAndDisabledRulesRest) {
  Evaluator evaluator(1);
  const auto before = compiled({rule_of("a", "SELECT * FROM 't'", to_kafka("one"))});
  RuleDefinition resting = rule_of("b", "SELECT * FROM 't'", to_kafka("three"));
  resting.disabled = true;
  const auto after = compiled({rule_of("a", "SELECT * FROM 't'", to_kafka("two")), resting}, before.get());
  EXPECT_EQ(evaluator.evaluate(*before, message("t", "{}")).outputs[0].topic, "one");
  const auto outcome = evaluator.evaluate(*after, message("t", "{}"));
  ASSERT_EQ(outcome.outputs.size(), 1U);
  EXPECT_EQ(outcome.outputs[0].topic, "two");
}

TEST(Evaluator, ManyTopicsAreBoundedAndRight) {
  const auto rules = compiled({rule_of("odd", "SELECT * FROM 'd/+/odd'", to_kafka("odd")),
                               rule_of("all", "SELECT * FROM 'd/#'", to_kafka("all"))});
  Evaluator evaluator(1);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5000; ++i) {
      const std::string topic = "d/" + std::to_string(i) + (i % 2 == 1 ? "/odd" : "/even");
      ASSERT_EQ(evaluator.evaluate(*rules, message(topic, "{}")).matched, i % 2 == 1 ? 2U : 1U) << topic;
    }
  }
}

}  // namespace
}  // namespace millrace::rules
