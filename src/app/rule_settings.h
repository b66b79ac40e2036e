// The `rules:` of the configuration, compiled.
#pragma once

#include <memory>

#include "app/settings.h"
#include "base/result.h"
#include "rules/rule_set.h"

namespace millrace::app {

/// `strict` holds all of them to AWS's language. A rule without an errorAction gets the fallback error topic as one, so
/// that what it cannot do is never lost. Error: invalid_argument naming rule, line and what was expected.
Result<std::shared_ptr<const rules::RuleSet>> compile_rules(const config::Node& rules, bool strict = false);

}  // namespace millrace::app
