#include "rules/topic_filter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace millrace::rules {
namespace {

std::vector<std::string> levels_of(const std::string& text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == '/') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

/// Level by level, as the specification reads.
bool matches(const std::string& filter, const std::string& topic) {
  const auto f = levels_of(filter);
  const auto t = levels_of(topic);
  if (!topic.empty() && topic[0] == '$' && (f[0] == "+" || f[0] == "#")) return false;
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (f[i] == "#") return true;
    if (i >= t.size() || (f[i] != "+" && f[i] != t[i])) return false;
  }
  return f.size() == t.size();
}

TEST(TopicFilterIndex, AgreesWithMatchingOneByOne) {
  Rng rng(11);
  const std::vector<std::string> words = {"a", "b", "", "$x", "long-level"};
  const auto random_path = [&](bool filter) {
    std::string out;
    const auto depth = 1 + rng.below(4);
    for (std::uint64_t i = 0; i < depth; ++i) {
      if (i != 0) out += '/';
      if (filter && rng.chance(1, 4)) {
        out += '+';
      } else if (filter && i + 1 == depth && rng.chance(1, 4)) {
        out += '#';
      } else {
        out += words[rng.below(words.size())];
      }
    }
    return out;
  };
  for (int round = 0; round < 50; ++round) {
    TopicFilterIndex index;
    std::vector<std::string> filters;
    while (filters.size() < 100) {
      std::string filter = random_path(true);
      if (!check_topic_filter(filter)) continue;  // empty
      index.add(filter, static_cast<std::uint32_t>(filters.size()));
      filters.push_back(std::move(filter));
    }
    for (int i = 0; i < 200; ++i) {
      const std::string topic = random_path(false);
      std::vector<std::uint32_t> found;
      index.match(topic, found);
      std::sort(found.begin(), found.end());
      std::vector<std::uint32_t> expected;
      for (std::uint32_t k = 0; k < filters.size(); ++k) {
        if (matches(filters[k], topic)) expected.push_back(k);
      }
      ASSERT_EQ(found, expected) << topic;
    }
  }
}

}  // namespace
}  // namespace millrace::rules
