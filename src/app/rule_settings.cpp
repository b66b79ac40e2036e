#include "app/rule_settings.h"

#include "pipeline/message_pipeline.h"

namespace millrace::app {

Result<std::shared_ptr<const rules::RuleSet>> compile_rules(const config::Node& rules, bool strict) {
  std::vector<rules::RuleDefinition> definitions;
  for (const auto& [name, node] : rules.entries) {
    MR_TRY_ASSIGN(rules::RuleDefinition definition, rules::parse_rule(name, node));
    definition.strict = definition.strict || strict;
    if (!definition.error_action) {
      definition.error_action.emplace();
      definition.error_action->kafka.topic = pipeline::kFallbackErrorTopic;
      definition.error_action->kafka.internal = true;
    }
    definitions.push_back(std::move(definition));
  }
  return rules::RuleSet::compile(std::move(definitions));
}

}  // namespace millrace::app
