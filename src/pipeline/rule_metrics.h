// What /metrics says about rules: sums over all of them, and lines of its own for each of at most so many, the busiest.
#pragma once

#include "base/clock.h"
#include "metrics/registry.h"
#include "pipeline/rule_set_slot.h"

namespace millrace::pipeline {

/// `most`: rules with lines of their own. The others must outlive every exposition of `registry`.
void register_rule_metrics(metrics::Registry& registry, const RuleSetSlot& rules, const Clock& clock, std::size_t most);

}  // namespace millrace::pipeline
