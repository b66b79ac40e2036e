#include "app/rule_settings.h"

#include <algorithm>

#include "pipeline/message_pipeline.h"

namespace millrace::app {

Result<void> finish_rule(rules::RuleDefinition& rule, const RuleTerms& terms) {
  rule.strict = rule.strict || terms.strict;
  rule.empty_templates = rule.empty_templates || terms.empty_templates;
  const auto writes_file = [](const rules::ActionDefinition& action) {
    return action.kind == rules::ActionDefinition::Kind::file;
  };
  if (!terms.has_folder &&
      (std::ranges::any_of(rule.actions, writes_file) || (rule.error_action && writes_file(*rule.error_action)))) {
    return fail(ErrorCode::invalid_argument, "rule",
                rule.name + ": the file action needs the setting actions.file.dir");
  }
  if (rule.error_action) return {};
  rule.error_action.emplace();
  rule.error_action->kafka.topic = pipeline::kFallbackErrorTopic;
  rule.error_action->kafka.internal = true;
  return {};
}

Result<std::vector<rules::RuleDefinition>> configured_rules(const config::Node& rules, const RuleTerms& terms) {
  std::vector<rules::RuleDefinition> definitions;
  for (const auto& [name, node] : rules.entries) {
    MR_TRY_ASSIGN(rules::RuleDefinition definition, rules::parse_rule(name, node));
    MR_TRY(finish_rule(definition, terms));
    definitions.push_back(std::move(definition));
  }
  return definitions;
}

Result<std::vector<references::Definition>> configured_references(const Settings& settings) {
  using references::Kind;
  std::vector<references::Definition> out;
  for (const auto& [kind, node] :
       {std::pair(Kind::table, &settings.rule_tables), std::pair(Kind::function, &settings.rule_functions),
        std::pair(Kind::descriptor, &settings.rule_descriptors)}) {
    for (const auto& [name, entry] : node->entries) {
      MR_TRY_ASSIGN(references::Definition definition, references::parse_definition(kind, name, entry));
      out.push_back(std::move(definition));
    }
  }
  return out;
}

Result<std::shared_ptr<const rules::RuleSet>> compile_rules(const config::Node& rules, const RuleTerms& terms) {
  MR_TRY_ASSIGN(auto definitions, configured_rules(rules, terms));
  return rules::RuleSet::compile(std::move(definitions));
}

}  // namespace millrace::app
