// TopicCache: remembers which groups of rules a topic selects, so that devices that publish to the same topics again
// and again cost one hash and one comparison. Bounded; emptied when the rule set changes. Thread: one owner.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/rule_set.h"

namespace millrace::rules {

class TopicCache {
 public:
  static constexpr std::size_t kSlots = 2048;            // topics remembered
  static constexpr std::size_t kMaxTopicBytes = 256;     // longer ones are matched every time
  static constexpr std::size_t kMaxMatches = 1U << 18U;  // groups remembered over all topics

  /// Indices into the set's groups, ascending. Valid until the next call.
  std::span<const std::uint32_t> find(const RuleSet& rules, std::string_view topic);

 private:
  struct Entry {
    std::string topic;
    std::uint64_t version = 0;  // of the rule set; 0: nothing
    std::vector<std::uint32_t> matches;
  };
  void clear();

  std::size_t total_ = 0;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> uncached_;
};

}  // namespace millrace::rules
