// The `rules:` of the configuration.
#pragma once

#include <memory>
#include <vector>

#include "app/settings.h"
#include "base/result.h"
#include "rules/rule_set.h"

namespace millrace::app {

/// A rule without an errorAction gets the fallback error topic as one, so that what it cannot do is never lost.
/// What of the settings decides about rules.
struct RuleTerms {
  bool strict = false;     // holds them to AWS's language
  bool has_folder = true;  // actions.file.dir is set
  static RuleTerms of(const Settings& settings) { return {settings.sql_strict, !settings.actions.file_dir.empty()}; }
};
/// Error: invalid_argument: an action that this server cannot do.
Result<void> finish_rule(rules::RuleDefinition& rule, const RuleTerms& terms);

/// Finished. Error: invalid_argument naming rule, line and what was expected.
Result<std::vector<rules::RuleDefinition>> configured_rules(const config::Node& rules, const RuleTerms& terms);

/// The same, compiled.
Result<std::shared_ptr<const rules::RuleSet>> compile_rules(const config::Node& rules, const RuleTerms& terms = {});

}  // namespace millrace::app
