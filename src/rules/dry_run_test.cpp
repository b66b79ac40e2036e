#include "rules/dry_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::rules {
namespace {

using testing::HasSubstr;

RuleDefinition rule(std::string sql, std::string key = "${id}") {
  RuleDefinition out;
  out.name = "any";
  out.sql = std::move(sql);
  out.disabled = true;  // tried before it is switched on
  ActionDefinition action;
  action.kafka.topic = "out-${type}";
  action.kafka.key = std::move(key);
  out.actions.push_back(action);
  return out;
}

TEST(DryRun, CountsWhatARuleWouldHaveMade) {
  const auto run =
      DryRun::make({.first = rule("SELECT id FROM 'a/+' WHERE t > 50"), .second = {}, .topic = "a/1"}).value();
  run->judge({.payload = R"({"id":1,"type":"x","t":60})", .client_id = "k", .partition = 2, .offset = 7});
  run->judge({.payload = R"({"id":2,"type":"x","t":40})"});
  run->judge({.payload = R"({"id":3,"t":60})"});
  run->judge({.payload = "no JSON"});
  const DryRunReport report = run->report();
  EXPECT_EQ(report.messages, 4U);
  EXPECT_EQ(report.first.matched, 2U);
  EXPECT_EQ(report.first.not_passed, 1U);
  EXPECT_EQ(report.first.failed, 1U);
  EXPECT_EQ(report.first.outputs, 1U);
  EXPECT_EQ(report.first.actions_failed, 1U);
  const std::string json = report.to_json();
  EXPECT_THAT(json, HasSubstr(R"("kind":"matched","partition":2,"offset":7,"payload":{"id":1,"type":"x","t":60},)"
                              R"("first":[{"topic":"out-x","key":"1","value":{"id":1}}])"));
  EXPECT_THAT(json, HasSubstr(R"("topic: ${type} is undefined for this message":1)"));
  EXPECT_THAT(json, HasSubstr("the payload is not JSON"));
}

TEST(DryRun, TellsWhatASecondVersionChanges) {
  const auto run = DryRun::make({.first = rule("SELECT id FROM 'a' WHERE t > 50"),
                                 .second = rule("SELECT id, t FROM 'a' WHERE t > 30 AND t < 90"),
                                 .topic = "a"})
                       .value();
  for (const int t : {20, 40, 60, 95}) {
    const std::string payload = R"({"id":1,"type":"x","t":)" + std::to_string(t) + "}";
    run->judge({.payload = payload, .offset = t});
  }
  const DryRunReport report = run->report();
  EXPECT_EQ(report.same, 1U);
  EXPECT_EQ(report.only_second, 1U);
  EXPECT_EQ(report.changed, 1U);
  EXPECT_EQ(report.only_first, 1U);
  EXPECT_THAT(report.to_json(), HasSubstr(R"("diff":{"same":1,"changed":1,"onlyFirst":1,"onlySecond":1})"));
}

TEST(DryRun, ReportsAreAddedUp) {
  const DryRun::Plan plan{.first = rule("SELECT * FROM 'a'"), .second = {}, .topic = "a", .samples = 2};
  DryRunReport all;
  for (int part = 0; part < 3; ++part) {
    const auto run = DryRun::make(plan).value();
    for (int i = 0; i < 4; ++i) run->judge({.payload = R"({"id":1,"type":"x"})", .partition = 2 - part, .offset = i});
    all.add(run->report(), plan.samples);
  }
  EXPECT_EQ(all.messages, 12U);
  EXPECT_EQ(all.first.matched, 12U);
  ASSERT_EQ(all.samples.size(), 2U);
  EXPECT_EQ(all.samples[1].partition, 0);
  EXPECT_EQ(all.samples[1].offset, 1);
}

TEST(DryRun, RequestsAreComparedByWhatTheyAsk) {
  RuleDefinition first = rule("SELECT * FROM 'a'");
  first.actions[0].kind = ActionDefinition::Kind::http;
  HttpAction http;
  http.url = "http://h/${id}";
  first.actions[0].http = http;
  const auto run = DryRun::make({.first = first, .second = first, .topic = "a"}).value();
  run->judge({.payload = R"({"id":1})"});
  EXPECT_EQ(run->report().same, 1U);
  EXPECT_THAT(run->report().to_json(), HasSubstr(R"("first":[{"to":"http://h/1","value":{"id":1}}])"));
}

TEST(DryRun, ARuleThatCannotRunIsRefused) {
  const auto refused = DryRun::make({.first = rule("SELEC"), .second = {}, .topic = "a"});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("line 1, column 1"));
}

}  // namespace
}  // namespace millrace::rules
