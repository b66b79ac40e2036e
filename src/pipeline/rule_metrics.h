// What /metrics says about every rule: one label set per rule of the set in force.
#pragma once

#include "metrics/registry.h"
#include "pipeline/rule_set_slot.h"

namespace millrace::pipeline {

/// `rules` must outlive every exposition of `registry`.
void register_rule_metrics(metrics::Registry& registry, const RuleSetSlot& rules);

}  // namespace millrace::pipeline
