// Rules that share a filter are found by an index; each of them alone is tried without one. Both must say the same.
#include "rules/predicate_index.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "base/log.h"
#include "base/rng.h"
#include "rules/evaluator.h"

namespace millrace::rules {
namespace {

const std::vector<std::string> kMembers = {"a", "b.c", "d", "e"};
/// Values that are equal in odd ways, and some that are not.
const std::vector<std::string> kConstants = {
    "1",    "1.0",   "2",    "-3",  "0",     "-0",  "'1'", "'x'",    "'X'",
    "true", "false", "NULL", "1E2", "'100'", "100", "''",  "'true'", "12345678901234567890123456789012345",
    "0.1",  "1.5"};
const std::vector<std::string> kJson = {"1",
                                        "1.0",
                                        "2",
                                        "-3",
                                        "0",
                                        "-0.0",
                                        "\"1\"",
                                        "\"x\"",
                                        "\"\\u0078\"",
                                        "true",
                                        "false",
                                        "null",
                                        "1E2",
                                        "\"100\"",
                                        "100",
                                        "[]",
                                        "{}",
                                        "\"true\"",
                                        "12345678901234567890123456789012345",
                                        "0.10",
                                        "1.5"};

const std::string& pick(Rng& rng, const std::vector<std::string>& from) {
  return from[rng.below(from.size())];
}

std::string random_condition(Rng& rng) {
  static const std::vector<std::string> operators = {"=", "=", "=", "<", "<=", ">", ">=", "<>"};
  const std::string comparison = rng.chance(1, 2)
                                     ? pick(rng, kMembers) + " " + pick(rng, operators) + " " + pick(rng, kConstants)
                                     : pick(rng, kConstants) + " " + pick(rng, operators) + " " + pick(rng, kMembers);
  return rng.chance(1, 8) ? "NOT " + comparison : rng.chance(1, 8) ? "(" + comparison + ")" : comparison;
}

RuleDefinition random_rule(Rng& rng, int number) {
  RuleDefinition rule;
  rule.name = fmt::format("r{}", number);
  rule.sql = rng.chance(1, 10) ? "SELECT a FROM 't/#', 't/+'" : "SELECT a FROM 't/#'";
  const std::uint64_t conditions = rng.below(4);
  for (std::uint64_t i = 0; i < conditions; ++i) {
    rule.sql += (i == 0 ? " WHERE " : rng.chance(1, 6) ? " OR " : " AND ") + random_condition(rng);
  }
  rule.sql_version = rng.chance(1, 4) ? "2015-10-08" : "2016-03-23";
  ActionDefinition action;
  action.kafka.topic = "out";
  rule.actions.push_back(action);
  return rule;
}

std::string random_payload(Rng& rng) {
  if (rng.chance(1, 50)) return "no json";
  std::string out = "{";
  for (const std::string& member : kMembers) {
    if (rng.chance(1, 4)) continue;
    if (out.size() > 1) out += ",";
    out += member == "b.c" ? "\"b\":{\"c\":" + pick(rng, kJson) + "}" : "\"" + member + "\":" + pick(rng, kJson);
  }
  return out + "}";
}

std::vector<std::string> fired(Evaluator& evaluator, const RuleSet& rules, const std::string& payload) {
  DeviceMessage message;
  message.topic = "t/x";
  message.payload = as_bytes(payload);
  std::vector<std::string> out;
  for (const RuleOutput& output : evaluator.evaluate(rules, message).outputs) {
    out.push_back(output.rule->name + "=" + std::string(as_text(output.value)));
  }
  return out;
}

/// MILLRACE_RULE_PAIRS pairs of rule and message, or some thousands, from the seed MILLRACE_RULE_SEED on.
TEST(PredicateIndex, FindsWhatTryingAllFinds) {
  log::set_level(log::Level::off);
  const char* const given = std::getenv("MILLRACE_RULE_PAIRS");
  const std::uint64_t pairs = given != nullptr ? std::strtoull(given, nullptr, 10) : 200'000;
  const char* const first = std::getenv("MILLRACE_RULE_SEED");
  constexpr int kRules = 100;
  constexpr int kMessages = 200;
  std::uint64_t seen = 0;
  for (std::uint64_t seed = first != nullptr ? std::strtoull(first, nullptr, 10) : 1; seen < pairs; ++seed) {
    Rng rng(seed);
    std::vector<RuleDefinition> definitions;
    std::vector<std::shared_ptr<const RuleSet>> alone;
    while (definitions.size() < kRules) {
      RuleDefinition rule = random_rule(rng, static_cast<int>(definitions.size()));
      const auto compiled = RuleSet::compile({rule});
      ASSERT_TRUE(compiled) << compiled.error().message();
      alone.push_back(*compiled);
      definitions.push_back(std::move(rule));
    }
    const auto together = RuleSet::compile(definitions);
    ASSERT_TRUE(together);
    Evaluator indexed(1);
    Evaluator one_by_one(1);
    for (int i = 0; i < kMessages; ++i) {
      const std::string payload = random_payload(rng);
      std::vector<std::string> expected;
      for (const auto& rule : alone) {
        for (std::string& output : fired(one_by_one, *rule, payload)) expected.push_back(std::move(output));
      }
      ASSERT_EQ(fired(indexed, **together, payload), expected) << "seed " << seed << ", payload " << payload;
    }
    seen += std::uint64_t{kRules} * kMessages;
  }
  log::set_level(log::Level::info);
}

TEST(PredicateIndex, RulesThatDidNotChangeAreNotCompiledAgain) {
  std::vector<RuleDefinition> definitions;
  Rng rng(7);
  for (int i = 0; i < 20; ++i) definitions.push_back(random_rule(rng, i));
  const auto first = RuleSet::compile(definitions);
  ASSERT_TRUE(first);
  definitions[3].sql = "SELECT b FROM 't/#' WHERE a = 1";
  const auto second = RuleSet::compile(definitions, first->get());
  ASSERT_TRUE(second);
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    EXPECT_EQ((*first)->rules()[i]->compiled == (*second)->rules()[i]->compiled, i != 3) << i;
    EXPECT_EQ((*first)->rules()[i]->counters, (*second)->rules()[i]->counters);
  }
}

}  // namespace
}  // namespace millrace::rules
