// The evaluator end to end: rules in, device messages in, outputs out. Language details are in tests/rules/*.test.
#include "rules/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Evaluator, OtherTopicsMatchNothing) {
  const auto rules = compiled({scenario_rule()});
  Evaluator evaluator(1);
  EXPECT_EQ(evaluator.evaluate(*rules, message("reports", "{}")).matched, 0U);
}

}  // namespace
}  // namespace millrace::rules
