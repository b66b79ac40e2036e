// The `rules:` of the configuration.
#pragma once

#include <memory>
#include <vector>

#include "app/settings.h"
#include "base/result.h"
#include "references/definition.h"
#include "rules/rule_set.h"

namespace millrace::app {

/// A rule without an errorAction gets the fallback error topic as one, so that what it cannot do is never lost.
/// What of the settings decides about rules.
struct RuleTerms {
  bool strict = false;     // holds them to AWS's language
  bool has_folder = true;  // actions.file.dir is set
  bool empty_templates = false;
  static RuleTerms of(const Settings& settings) {
    return {settings.sql_strict, !settings.actions.file_dir.empty(), settings.sql_unresolved_templates == "empty"};
  }
};
/// Error: invalid_argument: an action that this server cannot do.
Result<void> finish_rule(rules::RuleDefinition& rule, const RuleTerms& terms);

/// Finished. Error: invalid_argument naming rule, line and what was expected.
Result<std::vector<rules::RuleDefinition>> configured_rules(const config::Node& rules, const RuleTerms& terms);

/// The tables, functions and descriptors of the configuration. Errors: those of parse_definition.
Result<std::vector<references::Definition>> configured_references(const Settings& settings);

/// The rules, compiled.
Result<std::shared_ptr<const rules::RuleSet>> compile_rules(const config::Node& rules, const RuleTerms& terms = {});

}  // namespace millrace::app
