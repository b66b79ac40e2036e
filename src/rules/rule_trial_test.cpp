#include "rules/rule_trial.h"

#include <gtest/gtest.h>

namespace millrace::rules {
namespace {

std::string tried(const std::string& line, bool trace = false) {
  const auto message = parse_trial(line, 1'700'000'000'000);
  return message ? to_json(try_rule(*message), trace) : "refused: " + message.error().detail;
}

TEST(RuleTrial, OneLineInOneLineOut) {
  EXPECT_EQ(tried(R"({"sql":"SELECT a FROM 't/#' WHERE b > 1","topic":"t/x","payload":{"a":1.50,"b":2}})"),
            R"({"matched":true,"output":{"a":1.50}})");
  EXPECT_EQ(tried(R"({"sql":"SELECT a FROM 't/#' WHERE b > 1","topic":"t/x","payload":"{\"a\":1,\"b\":1}"})"),
            R"({"matched":false,"output":null})");
  EXPECT_EQ(tried(R"({"sql":"SELECT a FROM 't'","topic":"u","payload":{}})"), R"({"matched":false,"output":null})");
  EXPECT_EQ(
      tried(R"({"sql":"SELECT clientid() AS c, timestamp() AS t FROM 't'","topic":"t","clientId":"x","payload":{}})"),
      R"({"matched":true,"output":{"c":"x","t":1700000000000}})");
  EXPECT_EQ(tried(R"({"sql":"SELECT timestamp() AS t FROM 't'","topic":"t","payload":{},"timestamp":5})"),
            R"({"matched":true,"output":{"t":5}})");
  EXPECT_EQ(tried(R"({"sql":"FOREACH a AS x DO x.b FROM 't'","topic":"t","payload":{"a":[{"b":1},{"b":2}]}})"),
            R"({"matched":true,"output":null,"records":[{"b":1},{"b":2}]})");
  EXPECT_EQ(tried(R"({"sql":"SELECT * FROM 't'","topic":"t","payloadBase64":"AP8="})"),
            R"({"matched":true,"outputBase64":"AP8="})");
  EXPECT_EQ(tried(R"({"sql":"SELECT * FROM 't'","topic":"t","payload":"no json"})"),
            R"({"matched":true,"output":"no json"})");
  EXPECT_EQ(tried(R"({"sql":"SELECT topic(2) AS t FROM 'x'","topic":"$aws/rules/r/a/b","payload":"{}"})"),
            R"({"matched":true,"output":{"t":"b"}})");
}

TEST(RuleTrial, ErrorsHaveTheirPlace) {
  EXPECT_EQ(
      tried(R"({"sql":"SELECT ,a FROM 't'","topic":"t","payload":"{}"})"),
      R"({"matched":false,"output":null,"error":{"message":"found ',', expected an expression","line":1,"column":8}})");
  EXPECT_EQ(
      tried(R"({"sql":"SELECT a FROM 't'","topic":"t","payload":"{"})"),
      R"({"matched":false,"output":null,"error":{"message":"the payload is not JSON: unexpected end at byte 1"}})");
  EXPECT_TRUE(tried(R"({"sql":"SELECT a FROM 'a+'","topic":"t"})")
                  .starts_with(R"({"matched":false,"output":null,"error":{"message":"FROM 'a+': '+' and)"));
  EXPECT_EQ(tried("{"), "refused: not JSON: unexpected end at byte 1");
  EXPECT_EQ(tried("{}"), "refused: \"sql\" is missing, or no string");
  const std::string sql = R"({"sql":"SELECT a FROM 't'",)";
  EXPECT_EQ(tried(sql + R"("paylod":{"a":1}})"), "refused: there is no member \"paylod\"; did you mean \"payload\"?");
  EXPECT_EQ(tried(sql + R"("name":"mine","expect":{"a":1},"payload":{"a":1}})"),
            R"({"matched":true,"output":{"a":1}})");
  EXPECT_EQ(tried(sql + R"("payload":{},"payloadBase64":"e30="})"),
            "refused: it has both \"payload\" and \"payloadBase64\"");
  EXPECT_EQ(tried(sql + R"("topic":5,"payload":{}})"), "refused: \"topic\" is no string");
  EXPECT_EQ(tried(sql + R"("timestamp":"now","payload":{}})"),
            "refused: \"timestamp\" is in whole milliseconds since 1970");
}

TEST(RuleTrial, EachConditionIsShown) {
  EXPECT_EQ(
      tried(R"({"sql":"SELECT * FROM 't' WHERE a.b > 1 AND c BETWEEN 1 AND 2 AND upper(d) = 'X'","topic":"t",)"
            R"("payload":{"a":{"b":2},"c":3}})",
            true),
      R"({"matched":false,"output":null,"trace":[{"clause":"FROM","text":"t","held":true},)"
      R"({"clause":"WHERE","text":"a.b > 1","held":true,"value":true,"members":[{"name":"a.b","value":2}]},)"
      R"({"clause":"WHERE","text":"c BETWEEN 1 AND 2","held":false,"value":false,"members":[{"name":"c","value":3}]},)"
      R"({"clause":"WHERE","text":"upper(d) = 'X'","held":false,"undefined":true,)"
      R"("members":[{"name":"d","undefined":true}]}]})");
  const auto message = parse_trial(R"({"sql":"SELECT a FROM 't' WHERE a = 1 OR b = 2 AND c = 3","payload":{}})", 0);
  ASSERT_TRUE(message);
  const RuleTrial trial = try_rule(*message);
  ASSERT_EQ(trial.steps.size(), 3U);
  EXPECT_EQ(trial.steps[0].text, "a = 1 OR b = 2 AND c = 3");
  EXPECT_EQ(trial.steps[1].clause + " " + trial.steps[1].text, "OR a = 1");
  EXPECT_EQ(trial.steps[2].clause + " " + trial.steps[2].text, "OR b = 2 AND c = 3");
}

std::string steps_of(const std::string& line) {
  const RuleTrial trial = try_rule(*parse_trial(line, 0));
  std::string out;
  for (const TrialStep& step : trial.steps) {
    out +=
        step.clause + " " + step.text + " " + (step.value.empty() ? "-" : step.value) + (step.held ? "" : " no") + "; ";
  }
  return out;
}

TEST(RuleTrial, VariablesItemsAndElementsAreShown) {
  EXPECT_EQ(
      steps_of(R"({"sql":"SET @v = a + 1, @w = nope SELECT @v AS v, nope AS x.y, * FROM 't'","payload":{"a":1}})"),
      "SET @v 2; SET @w -; SELECT v 2; SELECT x.y -; ");
  EXPECT_EQ(steps_of(R"({"sql":"FOREACH l AS e INCASE e > 1 FROM 't'","payload":{"l":[1,2]}})"),
            "FOREACH  [1,2]; INCASE 1 - no; INCASE 2 -; ");
  EXPECT_EQ(steps_of(R"({"sql":"FOREACH l FROM 't'","payload":{}})"), "FOREACH  - no; ");
}

}  // namespace
}  // namespace millrace::rules
