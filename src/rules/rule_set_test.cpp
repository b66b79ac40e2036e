// Rule objects as they are written, and what RuleSet::compile refuses.
#include "rules/rule_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::rules {
namespace {

using config::Node;
using testing::HasSubstr;

Node scalar(std::string text, int line) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.text = std::move(text);
  node.line = line;
  return node;
}
Node map(std::vector<Node::Entry> entries, int line) {
  Node node;
  node.kind = Node::Kind::map;
  node.entries = std::move(entries);
  node.line = line;
  return node;
}
Node list(std::vector<Node> items, int line) {
  Node node;
  node.kind = Node::Kind::sequence;
  node.items = std::move(items);
  node.line = line;
  return node;
}
Node kafka(std::vector<Node::Entry> settings, int line) {
  return map({{"kafka", map(std::move(settings), line)}}, line);
}

Node whole_rule() {
  return map(
      {{"sql", scalar("SELECT * FROM 'report'", 2)},
       {"description", scalar("all reports", 3)},
       {"awsIotSqlVersion", scalar("2015-10-08", 4)},
       {"ruleDisabled", scalar("true", 5)},
       {"actions",
        list({kafka({{"topic", scalar("message-${type}", 8)},
                     {"key", scalar("${device_no}", 9)},
                     {"partition", scalar("${p}", 10)},
                     {"headers", list({map({{"key", scalar("k", 11)}, {"value", scalar("${v}", 12)}}, 11)}, 11)}},
                    7),
              map({{"republish", map({{"topic", scalar("again", 14)}, {"qos", scalar("1", 15)}}, 14)}}, 13)},
             6)},
       {"errorAction", kafka({{"topic", scalar("errors", 17)}}, 16)}},
      1);
}

std::string parse_error(const Node& node) {
  const auto rule = parse_rule("r", node);
  return rule ? "(accepted)" : rule.error().message();
}
Node with_action(Node action) {
  return map({{"sql", scalar("SELECT * FROM 'x'", 2)}, {"actions", list({std::move(action)}, 3)}}, 1);
}

TEST(ParseRule, ReadsAwsObjects) {
  const auto rule = parse_rule("reports", whole_rule());
  ASSERT_TRUE(rule) << rule.error().message();
  EXPECT_EQ(rule->name, "reports");
  EXPECT_EQ(rule->sql, "SELECT * FROM 'report'");
  EXPECT_EQ(rule->sql_version, "2015-10-08");
  EXPECT_TRUE(rule->disabled);
  ASSERT_EQ(rule->actions.size(), 2U);
  EXPECT_EQ(rule->actions[0].kafka.key, "${device_no}");
  ASSERT_EQ(rule->actions[0].kafka.headers.size(), 1U);
  EXPECT_EQ(rule->actions[0].kafka.headers[0].value, "${v}");
  EXPECT_EQ(rule->actions[1].kind, ActionDefinition::Kind::republish);
  EXPECT_EQ(rule->actions[1].republish.qos, 1);
  ASSERT_TRUE(rule->error_action);
  EXPECT_EQ(rule->error_action->kafka.topic, "errors");
}

TEST(ParseRule, ErrorsNameRuleKeyLineAndNeighbour) {
  Node misspelt = whole_rule();
  misspelt.entries.push_back({"errorActoin", scalar("x", 20)});
  EXPECT_THAT(parse_error(misspelt), HasSubstr("r: errorActoin (line 20): unknown key; did you mean errorAction?"));
  EXPECT_THAT(parse_error(with_action(kafka({{"topik", scalar("x", 4)}}, 4))),
              HasSubstr("actions[0].kafka.topik (line 4): unknown key; did you mean topic?"));
  EXPECT_THAT(parse_error(with_action(kafka({{"key", scalar("x", 4)}}, 4))),
              HasSubstr("actions[0].kafka.topic (line 4): is missing"));
  EXPECT_THAT(parse_error(with_action(map({{"kafak", map({}, 5)}}, 5))), HasSubstr("there is no action kafak"));
  EXPECT_THAT(
      parse_error(with_action(map({{"republish", map({{"topic", scalar("a", 5)}, {"qos", scalar("2", 6)}}, 5)}}, 5))),
      HasSubstr("actions[0].republish.qos (line 6): qos is 0 or 1"));
  EXPECT_THAT(parse_error(map({{"sql", scalar("SELECT * FROM 'x'", 2)}}, 1)),
              HasSubstr("actions (line 1): is missing"));
  EXPECT_THAT(parse_error(map({{"actions", list({}, 1)}}, 1)), HasSubstr("sql (line 1): is missing"));
  EXPECT_THAT(parse_error(scalar("text", 9)), HasSubstr("(line 9): expected an object"));
  EXPECT_THAT(
      parse_error(map({{"sql", scalar("x", 2)}, {"ruleDisabled", scalar("yes", 3)}, {"actions", list({}, 4)}}, 1)),
      HasSubstr("ruleDisabled (line 3): expected true or false"));
}

RuleDefinition simple(std::string name, std::string sql = "SELECT * FROM 'x'", std::string topic = "out") {
  RuleDefinition rule;
  rule.name = std::move(name);
  rule.sql = std::move(sql);
  ActionDefinition action;
  action.kafka.topic = std::move(topic);
  rule.actions.push_back(action);
  return rule;
}
std::string compile_error(RuleDefinition rule) {
  const auto rules = RuleSet::compile({std::move(rule)});
  return rules ? "(accepted)" : rules.error().message();
}

TEST(RuleSet, RefusesWhatCannotWork) {
  RuleDefinition wrong = simple("bad", "SELECT temp, FROM 'x'");
  wrong.line = 12;
  EXPECT_THAT(compile_error(wrong),
              HasSubstr("bad (line 12): sql: line 1, column 14: found 'FROM', expected an expression\n"
                        "  SELECT temp, FROM 'x'\n"
                        "               ^"));
  EXPECT_THAT(compile_error(simple("a-b")), HasSubstr("letters, digits and underscores"));
  EXPECT_THAT(compile_error(simple("a", "SELECT * FROM 'x'", "no topic")), HasSubstr("actions[0].kafka.topic"));
  EXPECT_THAT(compile_error(simple("a", "SELECT * FROM 'x'", "__sessions")), HasSubstr("internal"));
  EXPECT_THAT(compile_error(simple("a", "SELECT * FROM 'x'", "m-${type")), HasSubstr("'${' without its '}'"));
  EXPECT_THAT(compile_error(simple("a", "SELECT * FROM 'x'", "m-${typ e}")), HasSubstr("found 'e'"));
  RuleDefinition idle = simple("a");
  idle.actions.clear();
  EXPECT_THAT(compile_error(idle), HasSubstr("at least one action"));
  idle.actions.resize(11, simple("a").actions[0]);
  EXPECT_THAT(compile_error(idle), HasSubstr("at most 10 actions"));
  RuleDefinition versioned = simple("a");
  versioned.sql_version = "beta";
  EXPECT_THAT(compile_error(versioned), HasSubstr("awsIotSqlVersion: 'beta' is not known"));
  const auto twins = RuleSet::compile({simple("a"), simple("a")});
  ASSERT_FALSE(twins);
  EXPECT_THAT(twins.error().message(), HasSubstr("two rules of this name"));
}

TEST(RuleSet, RepublishTopics) {
  const auto republish = [](std::string topic) {
    RuleDefinition rule = simple("a");
    rule.actions[0].kind = ActionDefinition::Kind::republish;
    rule.actions[0].republish.topic = std::move(topic);
    return compile_error(rule);
  };
  EXPECT_EQ(republish("$$aws/things/x"), "(accepted)");
  EXPECT_EQ(republish("a/${b}"), "(accepted)");
  EXPECT_THAT(republish("$aws/things/x"), HasSubstr("written with $$"));
  EXPECT_THAT(republish("a/+"), HasSubstr("not a topic to publish to"));
}

TEST(RuleSet, CountersSurviveReplacementAndVersionsDiffer) {
  const auto first = RuleSet::compile({simple("a"), simple("b")});
  ASSERT_TRUE(first);
  (*first)->rules()[1]->counters->matched = 7;
  const auto second = RuleSet::compile({simple("b"), simple("c")}, first->get());
  ASSERT_TRUE(second);
  EXPECT_EQ((*second)->rules()[0]->counters->matched, 7U);
  EXPECT_EQ((*second)->rules()[1]->counters->matched, 0U);
  EXPECT_NE((*first)->version(), (*second)->version());
}

}  // namespace
}  // namespace millrace::rules
