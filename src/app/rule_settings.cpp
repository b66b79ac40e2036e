#include "app/rule_settings.h"

#include "pipeline/message_pipeline.h"

namespace millrace::app {

void finish_rule(rules::RuleDefinition& rule, bool strict) {
  rule.strict = rule.strict || strict;
  if (rule.error_action) return;
  rule.error_action.emplace();
  rule.error_action->kafka.topic = pipeline::kFallbackErrorTopic;
  rule.error_action->kafka.internal = true;
}

Result<std::vector<rules::RuleDefinition>> configured_rules(const config::Node& rules, bool strict) {
  std::vector<rules::RuleDefinition> definitions;
  for (const auto& [name, node] : rules.entries) {
    MR_TRY_ASSIGN(rules::RuleDefinition definition, rules::parse_rule(name, node));
    finish_rule(definition, strict);
    definitions.push_back(std::move(definition));
  }
  return definitions;
}

Result<std::shared_ptr<const rules::RuleSet>> compile_rules(const config::Node& rules, bool strict) {
  MR_TRY_ASSIGN(auto definitions, configured_rules(rules, strict));
  return rules::RuleSet::compile(std::move(definitions));
}

}  // namespace millrace::app
