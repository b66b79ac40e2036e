// FilterSet: topic filters with how many subscriptions each stands for; says whether any matches a topic. One per loop
// holds the filters of all sessions whose messages must be logged (decision 0009). Thread: one owner.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "mqtt/session/subscription_tree.h"

namespace millrace::mqtt {

class FilterSet {
 public:
  [[nodiscard]] bool empty() const { return counts_.empty(); }
  [[nodiscard]] std::size_t size() const { return counts_.size(); }
  void add(std::string_view filter) {
    if (counts_[std::string(filter)]++ == 0) tree_.add(filter, {});
  }
  void remove(std::string_view filter) {
    const auto at = counts_.find(std::string(filter));
    if (at == counts_.end() || --at->second != 0) return;
    tree_.remove(filter, {});
    counts_.erase(at);
  }
  [[nodiscard]] bool matches(std::string_view topic) const {
    bool found = false;
    tree_.match(topic, [&](const Subscriber&) { found = true; });
    return found;
  }

 private:
  std::unordered_map<std::string, std::uint32_t> counts_;
  SubscriptionTree tree_;
};

}  // namespace millrace::mqtt
