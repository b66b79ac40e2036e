#include "rules/topic_filter.h"

#include <algorithm>
#include <cstring>

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

TopicFilterIndex::TopicFilterIndex() : nodes_(1), edges_(16) {}

/// Multiplies eight bytes at a time: levels are short, and whoever sends topics gains nothing from a collision but a
/// longer comparison of names.
std::uint64_t TopicFilterIndex::hash_of(NodeIndex parent, std::string_view level) {
  constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = (parent + 1ULL) * kMix ^ level.size();
  const char* at = level.data();
  std::size_t left = level.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    hash = (hash ^ word) * kMix;
    hash ^= hash >> 29U;
  }
  std::uint64_t word = 0;
  if (left != 0) std::memcpy(&word, at, left);
  hash = (hash ^ word) * kMix;
  return hash ^ (hash >> 32U);
}

const TopicFilterIndex::Edge* TopicFilterIndex::find(NodeIndex parent, std::string_view level) const {
  const std::uint64_t hash = hash_of(parent, level);
  for (std::size_t at = hash & (edges_.size() - 1);; at = (at + 1) & (edges_.size() - 1)) {
    const Edge& edge = edges_[at];
    if (edge.child == kNone) return nullptr;
    if (edge.hash == hash && edge.parent == parent && edge.name_size == level.size() &&
        std::string_view(names_.data() + edge.name_at, edge.name_size) == level) {
      return &edge;
    }
  }
}

void TopicFilterIndex::insert(const Edge& edge) {
  std::size_t at = edge.hash & (edges_.size() - 1);
  while (edges_[at].child != kNone) at = (at + 1) & (edges_.size() - 1);
  edges_[at] = edge;
}

TopicFilterIndex::NodeIndex TopicFilterIndex::child_of(NodeIndex parent, std::string_view level) {
  if (const Edge* const edge = find(parent, level)) return edge->child;
  if ((used_ + 1) * 2 > edges_.size()) {
    std::vector<Edge> old(edges_.size() * 2);
    old.swap(edges_);
    for (const Edge& edge : old) {
      if (edge.child != kNone) insert(edge);
    }
  }
  const auto child = static_cast<NodeIndex>(nodes_.size());
  insert({hash_of(parent, level), parent, child, static_cast<std::uint32_t>(names_.size()),
          static_cast<std::uint32_t>(level.size())});
  ++used_;
  names_.insert(names_.end(), level.begin(), level.end());
  nodes_.emplace_back();
  nodes_[parent].has_exact = true;
  return child;
}

void TopicFilterIndex::chain(std::uint32_t& head, std::uint32_t value) {
  values_.push_back({value, head});
  head = static_cast<std::uint32_t>(values_.size() - 1);
}

void TopicFilterIndex::add(std::string_view filter, std::uint32_t value) {
  NodeIndex at = 0;
  for (std::string_view rest = filter;;) {
    const Split part = split(rest);
    if (part.level == "#") {
      chain(nodes_[at].all_below, value);
      return;
    }
    if (part.level == "+") {
      NodeIndex next = nodes_[at].any;
      if (next == kNone) {
        next = static_cast<NodeIndex>(nodes_.size());
        nodes_.emplace_back();
        nodes_[at].any = next;
      }
      at = next;
    } else {
      at = child_of(at, part.level);
    }
    if (part.last) break;
    rest = part.rest;
  }
  chain(nodes_[at].ends_here, value);
}

void TopicFilterIndex::match(std::string_view topic, std::vector<std::uint32_t>& out) const {
  match_level(0, topic, false, true, out);
}

/// Recursion is as deep as the deepest filter, and only where a level may be both itself and `+`; every node is visited
/// at most once.
void TopicFilterIndex::match_level(NodeIndex at, std::string_view rest, bool done, bool first,
                                   std::vector<std::uint32_t>& out) const {
  while (true) {
    const Node& node = nodes_[at];
    const bool wildcards = !first || rest.empty() || rest.front() != '$';
    if (wildcards) append(node.all_below, out);
    if (done) {
      append(node.ends_here, out);
      return;
    }
    const Split part = split(rest);
    const Edge* const edge = node.has_exact ? find(at, part.level) : nullptr;
    const NodeIndex any = wildcards ? node.any : kNone;
    if (edge == nullptr && any == kNone) return;
    if (edge != nullptr && any != kNone) match_level(any, part.rest, part.last, false, out);
    at = edge != nullptr ? edge->child : any;
    rest = part.rest;
    done = part.last;
    first = false;
  }
}

}  // namespace millrace::rules
