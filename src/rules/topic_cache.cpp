#include "rules/topic_cache.h"

#include <algorithm>

#include "rules/rule_set_impl.h"

namespace millrace::rules {

void TopicCache::clear() {
  total_ = 0;
  entries_.clear();
  entries_.resize(kSlots);
}

std::span<const std::uint32_t> TopicCache::find(const RuleSet& rules, std::string_view topic) {
  if (entries_.empty()) [[unlikely]]
    clear();
  const auto match = [&](std::vector<std::uint32_t>& out) {
    out.clear();
    rules.impl().filters.for_each([&](const auto& layer) { layer.index.match(topic, out); });
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
  };
  if (topic.size() > kMaxTopicBytes) {
    match(uncached_);
    return uncached_;
  }
  Entry& entry = entries_[std::hash<std::string_view>{}(topic) % kSlots];
  if (entry.version == rules.version() && entry.topic == topic) return entry.matches;
  total_ -= entry.matches.size();
  entry.version = 0;
  match(entry.matches);
  if (total_ + entry.matches.size() > kMaxMatches) {
    uncached_ = std::move(entry.matches);
    clear();
    return uncached_;
  }
  entry.topic.assign(topic);
  entry.version = rules.version();
  total_ += entry.matches.size();
  return entry.matches;
}

}  // namespace millrace::rules
