#include "rules/topic_filter.h"

#include <algorithm>

namespace millrace::rules {

namespace {

constexpr std::size_t kMaxTopicBytes = 65'535;

struct Split {
  std::string_view level;
  std::string_view rest;
  bool last = false;
};
Split split(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {text, {}, true};
  return {text.substr(0, slash), text.substr(slash + 1), false};
}

}  // namespace

Result<void> check_topic_filter(std::string_view filter) {
  const auto refuse = [](const char* why) { return fail(ErrorCode::invalid_argument, "topic filter", why); };
  if (filter.empty()) return refuse("the topic filter is empty");
  if (filter.size() > kMaxTopicBytes) return refuse("the topic filter is longer than 65535 bytes");
  if (filter.find('\0') != std::string_view::npos) return refuse("the topic filter holds a NUL character");
  std::size_t levels = 0;
  for (std::string_view rest = filter;;) {
    const Split part = split(rest);
    if (++levels > kMaxFilterLevels) return refuse("the topic filter has more than 128 levels");
    if (part.level.size() > 1 && part.level.find_first_of("+#") != std::string_view::npos) {
      return refuse("'+' and '#' stand for whole levels of a topic filter");
    }
    if (part.level == "#" && !part.last) return refuse("'#' is the last level of a topic filter");
    if (part.last) return {};
    rest = part.rest;
  }
}

bool is_publishable_topic(std::string_view topic) {
  return !topic.empty() && topic.size() <= kMaxTopicBytes &&
         topic.find_first_of(std::string_view("+#\0", 3)) == std::string_view::npos;
}

void TopicFilterIndex::add(std::string_view filter, std::uint32_t value) {
  Level* at = &root_;
  for (std::string_view rest = filter;;) {
    const Split part = split(rest);
    if (part.level == "#") {
      at->all_below.push_back(value);
      return;
    }
    std::unique_ptr<Level>& next = part.level == "+" ? at->any : at->exact[std::string(part.level)];
    if (!next) next = std::make_unique<Level>();
    at = next.get();
    if (part.last) break;
    rest = part.rest;
  }
  at->ends_here.push_back(value);
}

void TopicFilterIndex::match(std::string_view topic, std::vector<std::uint32_t>& out) const {
  match_level(root_, topic, false, true, out);
}

/// Recursion is as deep as the deepest filter; every level of the trie is visited at most once.
void TopicFilterIndex::match_level(const Level& level, std::string_view rest, bool done, bool first,
                                   std::vector<std::uint32_t>& out) {
  const bool wildcards = !first || rest.empty() || rest.front() != '$';
  if (wildcards) out.insert(out.end(), level.all_below.begin(), level.all_below.end());
  if (done) {
    out.insert(out.end(), level.ends_here.begin(), level.ends_here.end());
    return;
  }
  const Split part = split(rest);
  if (const auto found = level.exact.find(part.level); found != level.exact.end()) {
    match_level(*found->second, part.rest, part.last, false, out);
  }
  if (level.any && wildcards) match_level(*level.any, part.rest, part.last, false, out);
}

}  // namespace millrace::rules
