// What is counted of a rule, as one table: the names of metrics and of the REST answer come from it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace millrace::rules {

struct RuleCounters {
  std::atomic<std::uint64_t> matched{0};          // FROM and WHERE held
  std::atomic<std::uint64_t> not_passed{0};       // FROM matched, WHERE was tried and not true
  std::atomic<std::uint64_t> failed{0};           // payload or SQL could not be evaluated
  std::atomic<std::uint64_t> failed_fuel{0};      // of these: it would have cost too much
  std::atomic<std::uint64_t> failed_question{0};  // of these: a table or function did not answer
  std::atomic<std::uint64_t> empty{0};            // of those matched: FOREACH or the actions made nothing of it
  std::atomic<std::uint64_t> nanoseconds{0};      // spent on it, from every 64th look at it
  std::atomic<std::uint64_t> actions_ok{0};       // counted by whoever carries outputs out, when they are done
  std::atomic<std::uint64_t> actions_failed{0};
  std::atomic<std::uint64_t> error_actions{0};
};

struct RuleCounterRow {
  std::string_view name;
  std::string_view help;
  std::atomic<std::uint64_t> RuleCounters::* counter;
};

inline constexpr std::array<RuleCounterRow, 10> kRuleCounters = {{
    {"matched", "Messages for which FROM and WHERE held", &RuleCounters::matched},
    {"not_passed", "Messages that FROM matched and WHERE, tried, did not let pass", &RuleCounters::not_passed},
    {"failed", "Messages whose payload or statement could not be evaluated", &RuleCounters::failed},
    {"failed_fuel", "Of the failed: the rule would have cost too much for one message", &RuleCounters::failed_fuel},
    {"failed_question", "Of the failed: a table or function did not answer", &RuleCounters::failed_question},
    {"empty", "Of the matched: nothing came of it (FOREACH over no element)", &RuleCounters::empty},
    {"nanoseconds", "Time spent on the rule, from every 64th look at it", &RuleCounters::nanoseconds},
    {"actions_ok", "Records and messages that actions handed on", &RuleCounters::actions_ok},
    {"actions_failed", "Actions that could not be resolved", &RuleCounters::actions_failed},
    {"error_actions", "Error actions produced", &RuleCounters::error_actions},
}};

/// All of them at one moment, of one rule or added up.
struct RuleTally {
  std::array<std::uint64_t, kRuleCounters.size()> values{};

  void add(const RuleCounters& counters) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] += (counters.*kRuleCounters[i].counter).load(std::memory_order_relaxed);
    }
  }
};

}  // namespace millrace::rules
