// Topic filters (MQTT 5.0 section 4.7): `+` stands for one level, `#` at the end for all further ones; neither matches
// a topic that starts with `$` in its first level. TopicFilterIndex finds all filters that match a topic: a trie over
// levels whose edges are one flat hash table. Immutable once built; any thread may match.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::rules {

inline constexpr std::size_t kMaxFilterLevels = 128;

/// Error: invalid_argument with the reason.
Result<void> check_topic_filter(std::string_view filter);
/// A name one may publish to: 1 to 65535 bytes, no wildcard, no NUL.
[[nodiscard]] bool is_publishable_topic(std::string_view topic);

class TopicFilterIndex {
 public:
  TopicFilterIndex();
  /// `filter` passed check_topic_filter. The same filter may be added for many values.
  void add(std::string_view filter, std::uint32_t value);
  /// Appends the values of all filters that match, in no order.
  void match(std::string_view topic, std::vector<std::uint32_t>& out) const;

 private:
  using NodeIndex = std::uint32_t;
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  /// Values of filters that end at a node are chained: `next` goes on.
  struct Value {
    std::uint32_t value = 0;
    std::uint32_t next = kNone;
  };
  struct Node {
    NodeIndex any = kNone;  // +
    std::uint32_t ends_here = kNone;
    std::uint32_t all_below = kNone;  // #
    bool has_exact = false;
  };
  /// From a parent by the name of a level to a child; open addressing.
  struct Edge {
    std::uint64_t hash = 0;
    NodeIndex parent = kNone;
    NodeIndex child = kNone;  // kNone: free
    std::uint32_t name_at = 0;
    std::uint32_t name_size = 0;
  };

  static std::uint64_t hash_of(NodeIndex parent, std::string_view level);
  [[nodiscard]] const Edge* find(NodeIndex parent, std::string_view level) const;
  NodeIndex child_of(NodeIndex parent, std::string_view level);
  void insert(const Edge& edge);
  void chain(std::uint32_t& head, std::uint32_t value);
  void append(std::uint32_t head, std::vector<std::uint32_t>& out) const {
    for (; head != kNone; head = values_[head].next) out.push_back(values_[head].value);
  }
  void match_level(NodeIndex at, std::string_view rest, bool done, bool first, std::vector<std::uint32_t>& out) const;

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;  // a power of two
  std::size_t used_ = 0;
  std::vector<Value> values_;
  std::vector<char> names_;
};

}  // namespace millrace::rules
