#include "rules/topic_cache.h"

#include <algorithm>

#include "rules/compiled_rule.h"

namespace millrace::rules {

void TopicCache::clear(std::uint64_t version) {
  version_ = version;
  total_ = 0;
  entries_.clear();
  entries_.resize(kSlots);
}

std::span<const std::uint32_t> TopicCache::find(const RuleSet& rules, std::string_view topic) {
  if (version_ != rules.version()) [[unlikely]]
    clear(rules.version());
  const auto match = [&](std::vector<std::uint32_t>& out) {
    out.clear();
    rules.impl().filters.match(topic, out);
    std::sort(out.begin(), out.end());
  };
  if (topic.size() > kMaxTopicBytes) {
    match(uncached_);
    return uncached_;
  }
  Entry& entry = entries_[std::hash<std::string_view>{}(topic) % kSlots];
  if (entry.used && entry.topic == topic) return entry.matches;
  total_ -= entry.used ? entry.matches.size() : 0;
  entry.used = false;
  match(entry.matches);
  if (total_ + entry.matches.size() > kMaxMatches) {
    uncached_ = std::move(entry.matches);
    clear(version_);
    return uncached_;
  }
  entry.topic.assign(topic);
  entry.used = true;
  total_ += entry.matches.size();
  return entry.matches;
}

}  // namespace millrace::rules
