#include "pipeline/rule_metrics.h"

namespace millrace::pipeline {
namespace {

struct Row {
  const char* name;
  const char* help;
  std::atomic<std::uint64_t> rules::RuleCounters::* counter;
};

constexpr Row kRows[] = {
    {"millrace_rule_matched_total", "Messages for which FROM and WHERE held", &rules::RuleCounters::matched},
    {"millrace_rule_not_passed_total", "Messages that FROM matched and WHERE, tried, did not let pass",
     &rules::RuleCounters::not_passed},
    {"millrace_rule_failed_total", "Messages whose payload or statement could not be evaluated",
     &rules::RuleCounters::failed},
    {"millrace_rule_failed_fuel_total", "Of the failed: the rule would have cost too much for one message",
     &rules::RuleCounters::failed_fuel},
    {"millrace_rule_failed_question_total", "Of the failed: a table or function did not answer",
     &rules::RuleCounters::failed_question},
    {"millrace_rule_empty_total", "Of the matched: nothing came of it (FOREACH over no element)",
     &rules::RuleCounters::empty},
    {"millrace_rule_nanoseconds_total", "Time spent on the rule, from every 64th look at it",
     &rules::RuleCounters::nanoseconds},
    {"millrace_rule_actions_ok_total", "Records and messages that actions handed on", &rules::RuleCounters::actions_ok},
    {"millrace_rule_actions_failed_total", "Actions that could not be resolved", &rules::RuleCounters::actions_failed},
    {"millrace_rule_error_actions_total", "Error actions produced", &rules::RuleCounters::error_actions},
};

}  // namespace

void register_rule_metrics(metrics::Registry& registry, const RuleSetSlot& rules) {
  for (const Row& row : kRows) {
    registry.collect_counter(row.name, row.help, [&rules, counter = row.counter] {
      std::vector<metrics::Registry::Sample> samples;
      const auto current = rules.current();
      for (const rules::Rule* const rule : current->rules()) {
        const std::uint64_t value = ((*rule->counters).*counter).load(std::memory_order_relaxed);
        samples.emplace_back(metrics::Labels{{"rule", rule->name}}, static_cast<double>(value));
      }
      return samples;
    });
  }
}

}  // namespace millrace::pipeline
