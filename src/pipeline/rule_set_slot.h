// RuleSetSlot: the rule set in force. Replaced as a whole, so no message is judged by half of a set. Thread: any.
#pragma once

#include <atomic>
#include <memory>

#include "base/guarded.h"
#include "rules/rule_set.h"

namespace millrace::pipeline {

class RuleSetSlot {
 public:
  explicit RuleSetSlot(std::shared_ptr<const rules::RuleSet> rules) { replace(std::move(rules)); }

  void replace(std::shared_ptr<const rules::RuleSet> rules) {
    const std::uint64_t version = rules->version();
    current_.with([&](auto& current) { current = std::move(rules); });
    version_.store(version, std::memory_order_release);
  }
  /// Compared once per read before current() is asked for.
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  [[nodiscard]] std::shared_ptr<const rules::RuleSet> current() const {
    return current_.with([](const auto& current) { return current; });
  }

 private:
  Guarded<std::shared_ptr<const rules::RuleSet>> current_;
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace millrace::pipeline
