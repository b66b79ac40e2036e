#include "app/rule_settings.h"

#include <gtest/gtest.h>

#include "pipeline/message_pipeline.h"

namespace millrace::app {
namespace {

Result<std::shared_ptr<const rules::RuleSet>> compile(std::string_view yaml) {
  const auto node = config::parse_yaml(yaml, "rules.yaml");
  if (!node) return std::unexpected<Error>(node.error());
  return compile_rules(*node);
}

TEST(RuleSettings, ARuleWithoutErrorActionGetsTheFallbackTopic) {
  const auto rules = compile("r: {sql: \"SELECT * FROM 'x'\", actions: [{kafka: {topic: t}}]}");
  ASSERT_TRUE(rules) << rules.error().message();
  EXPECT_EQ((*rules)->rules().front()->definition().error_action->kafka.topic, pipeline::kFallbackErrorTopic);
}

TEST(RuleSettings, InternalTopicsAreNotForRules) {
  const auto rules = compile("r: {sql: \"SELECT * FROM 'x'\", actions: [{kafka: {topic: __mqtt_deliveries}}]}");
  ASSERT_FALSE(rules);
  EXPECT_NE(rules.error().message().find("internal"), std::string::npos) << rules.error().message();
}

}  // namespace
}  // namespace millrace::app
