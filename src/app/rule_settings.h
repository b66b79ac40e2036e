// The `rules:` of the configuration.
#pragma once

#include <memory>
#include <vector>

#include "app/settings.h"
#include "base/result.h"
#include "rules/rule_set.h"

namespace millrace::app {

/// A rule without an errorAction gets the fallback error topic as one, so that what it cannot do is never lost.
/// `strict` holds it to AWS's language.
void finish_rule(rules::RuleDefinition& rule, bool strict);

/// Finished. Error: invalid_argument naming rule, line and what was expected.
Result<std::vector<rules::RuleDefinition>> configured_rules(const config::Node& rules, bool strict);

/// The same, compiled.
Result<std::shared_ptr<const rules::RuleSet>> compile_rules(const config::Node& rules, bool strict = false);

}  // namespace millrace::app
