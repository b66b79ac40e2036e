// A set made by changes answers every message as one made from nothing, whatever the changes were.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/log.h"
#include "base/rng.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"

namespace millrace::rules {
namespace {

RuleDefinition random_rule(Rng& rng, std::uint64_t number) {
  static constexpr std::string_view kFilters[] = {"a/b", "a/+", "a/#", "+/b", "c", "#"};
  static constexpr std::string_view kWhere[] = {
      "", " WHERE d = ", " WHERE d = 3 AND t > ", " WHERE t < ", " WHERE d <> ", " WHERE e = 'x' AND d = "};
  RuleDefinition out;
  out.name = "rule_" + std::to_string(number);
  out.sql = "SELECT d, t FROM '" + std::string(kFilters[rng.below(std::size(kFilters))]) + "'";
  const std::string_view where = kWhere[rng.below(std::size(kWhere))];
  if (!where.empty()) out.sql += std::string(where) + std::to_string(rng.below(20));
  out.disabled = rng.chance(1, 10);
  ActionDefinition action;
  action.kafka.topic = "out";
  out.actions.push_back(action);
  return out;
}

std::multiset<std::string> fired(Evaluator& evaluator, const RuleSet& rules, std::string_view topic,
                                 const std::string& payload) {
  DeviceMessage message;
  message.topic = topic;
  message.payload = as_bytes(payload);
  std::multiset<std::string> out;
  for (const RuleOutput& output : evaluator.evaluate(rules, message).outputs) {
    out.insert(output.rule->name + std::string(as_text(output.value)));
  }
  return out;
}

TEST(RuleSetChange, EqualsTheSetMadeFromNothing) {
  log::set_level(log::Level::off);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Rng rng(seed);
    // Enough for the small and the middle layer to overflow, and for slots to be used up.
    const std::uint64_t names = seed % 2 == 0 ? 4000 : 60;
    std::map<std::string, RuleDefinition> now;
    std::shared_ptr<const RuleSet> changed = RuleSet::compile({}).value();
    Evaluator one(1);
    Evaluator two(1);
    for (int round = 0; round < 1500; ++round) {
      std::vector<RuleSet::Change> changes(1 + rng.below(seed % 2 == 0 ? 20 : 3));
      for (RuleSet::Change& change : changes) {
        RuleDefinition rule = random_rule(rng, rng.below(names));
        change.name = rule.name;
        if (rng.chance(1, 4)) {
          now.erase(rule.name);
          continue;
        }
        now[rule.name] = rule;
        change.rule = rule;
      }
      const auto next = RuleSet::apply(*changed, changes);
      ASSERT_TRUE(next) << next.error().message();
      ASSERT_EQ((*next)->totals().values, changed->totals().values) << "seed " << seed << " round " << round;
      changed = *next;
      ASSERT_EQ(changed->size(), now.size());
      if (round % 50 != 0) continue;
      std::vector<RuleDefinition> all;
      for (const auto& [name, rule] : now) all.push_back(rule);
      const auto fresh = RuleSet::compile(all).value();
      for (int message = 0; message < 40; ++message) {
        static constexpr std::string_view kTopics[] = {"a/b", "a/c", "c", "x/b", "$s/b", "a"};
        const std::string payload = rng.chance(1, 20) ? "no JSON"
                                                      : R"({"e":"x","d":)" + std::to_string(rng.below(20)) +
                                                            R"(,"t":)" + std::to_string(rng.below(20)) + "}";
        const std::string_view topic = kTopics[rng.below(std::size(kTopics))];
        ASSERT_EQ(fired(one, *changed, topic, payload), fired(two, *fresh, topic, payload))
            << "seed " << seed << ", round " << round << ", " << topic << ", " << payload;
      }
    }
  }
  log::set_level(log::Level::info);
}

TEST(RuleSetChange, AnEarlierSetStaysAsItWas) {
  Rng rng(3);
  std::vector<RuleDefinition> all;
  for (std::uint64_t i = 0; i < 600; ++i) all.push_back(random_rule(rng, i));
  const auto before = RuleSet::compile(all).value();
  Evaluator evaluator(1);
  const std::string payload = R"({"e":"x","d":3,"t":9})";
  const auto expected = fired(evaluator, *before, "a/b", payload);
  std::shared_ptr<const RuleSet> next = before;
  for (std::uint64_t i = 0; i < 600; ++i) {
    RuleDefinition rule = random_rule(rng, i);
    next = RuleSet::apply(*next, {{rule.name, rule}}).value();
  }
  EXPECT_EQ(fired(evaluator, *before, "a/b", payload), expected);
}

TEST(RuleSetChange, KeepsCountersAndRefusesWhole) {
  Rng rng(1);
  RuleDefinition rule = random_rule(rng, 1);
  rule.sql = "SELECT d FROM 'a/b'";
  rule.disabled = false;
  const auto before = RuleSet::compile({rule}).value();
  before->find("rule_1")->counters->matched = 7;
  RuleDefinition other = rule;
  other.sql = "SELECT t FROM 'c'";
  const auto after = RuleSet::apply(*before, {{other.name, other}}).value();
  EXPECT_EQ(after->find("rule_1")->counters->matched, 7U);
  EXPECT_EQ(after->find("rule_1")->definition().sql, other.sql);
  RuleDefinition bad = rule;
  bad.sql = "SELEC";
  EXPECT_FALSE(RuleSet::apply(*after, {{rule.name, rule}, {bad.name, bad}}));
  EXPECT_EQ(after->find("rule_1")->definition().sql, other.sql);
}

}  // namespace
}  // namespace millrace::rules
