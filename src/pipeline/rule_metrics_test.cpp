#include "pipeline/rule_metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::pipeline {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<rules::RuleDefinition> definitions(int count) {
  std::vector<rules::RuleDefinition> out;
  for (int i = 0; i < count; ++i) {
    rules::RuleDefinition rule;
    rule.name = fmt::format("r{}", i);
    rule.sql = "SELECT * FROM 't'";
    rule.actions.resize(1);
    rule.actions[0].kafka.topic = "out";
    out.push_back(std::move(rule));
  }
  return out;
}

class RuleMetricsTest : public ::testing::Test {
 protected:
  void start(int rules, std::size_t most) {
    slot_ = std::make_unique<RuleSetSlot>(rules::RuleSet::compile(definitions(rules)).value());
    register_rule_metrics(registry_, *slot_, clock_, most);
  }
  void count(int rule, std::uint64_t matched) {
    slot_->current()->find(fmt::format("r{}", rule))->counters->matched += matched;
  }
  void remove(int rule) {
    std::vector<rules::RuleSet::Change> change(1);
    change[0].name = fmt::format("r{}", rule);
    slot_->replace(rules::RuleSet::apply(*slot_->current(), std::move(change)).value());
  }
  metrics::Registry registry_;
  ManualClock clock_;
  std::unique_ptr<RuleSetSlot> slot_;
};

TEST_F(RuleMetricsTest, FewRulesHaveALineEach) {
  start(3, 3);
  count(1, 5);
  const std::string text = registry_.prometheus_text();
  EXPECT_THAT(text, HasSubstr("millrace_rule_matched_total{rule=\"r0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("millrace_rule_matched_total{rule=\"r1\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("millrace_rules_matched_total 5\n"));
  EXPECT_THAT(text, HasSubstr("millrace_rules 3\n"));
  count(2, 1);
  EXPECT_THAT(registry_.prometheus_text(), HasSubstr("millrace_rules_matched_total 6\n"));
}

TEST_F(RuleMetricsTest, OfManyTheBusiestHaveLinesAndTheSumCountsAll) {
  start(1000, 2);
  for (int i = 0; i < 1000; ++i) count(i, 1);
  count(700, 10);
  count(30, 20);
  const std::string text = registry_.prometheus_text();
  EXPECT_THAT(text, HasSubstr("millrace_rule_matched_total{rule=\"r30\"} 21\n"
                              "millrace_rule_matched_total{rule=\"r700\"} 11\n"
                              "# HELP"));
  EXPECT_THAT(text, HasSubstr("millrace_rules_matched_total 1030\n"));
  EXPECT_LT(text.size(), 10'000U);
  // Another one becomes busier; who is shown is decided anew within a second, and a rule that goes leaves its share.
  count(5, 100);
  remove(30);
  clock_.advance(std::chrono::seconds(1));
  const std::string later = registry_.prometheus_text();
  EXPECT_THAT(later, HasSubstr("millrace_rule_matched_total{rule=\"r5\"} 101\n"));
  EXPECT_THAT(later, Not(HasSubstr("\"r30\"")));
  EXPECT_THAT(later, HasSubstr("millrace_rules_matched_total 1130\n"));
}

TEST_F(RuleMetricsTest, NoneMayHaveLines) {
  start(2, 0);
  count(0, 1);
  const std::string text = registry_.prometheus_text();
  EXPECT_THAT(text, Not(HasSubstr("rule=")));
  EXPECT_THAT(text, HasSubstr("millrace_rules_matched_total 1\n"));
}

}  // namespace
}  // namespace millrace::pipeline
