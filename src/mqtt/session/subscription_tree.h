// SubscriptionTree: topic filters of one loop's sessions, by level (MQTT 5.0 section 4.7).
//
// Every level is a hash look-up; '+' and '#' have places of their own in each node. Matching allocates nothing. The
// depth is bounded by the caller's limit on filter levels. Thread: the loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/ids.h"
#include "mqtt/protocol/packet.h"

namespace millrace::mqtt {

class Session;

class ShareGroup;

/// One session's subscription, or one group's that shares it, at its place in the tree.
struct Subscriber {
  Session* session = nullptr;    // null: a group's
  ShareGroup* share = nullptr;   // null: a session's
  std::uint32_t identifier = 0;  // 0: none (3.8.2.1.2)
  protocol::SubscriptionOptions options = {};
  Offset since{0};  // of a persistent session: the first offset it counts for
  [[nodiscard]] bool same_owner(const Subscriber& other) const {
    return session == other.session && share == other.share;
  }
};

class SubscriptionTree {
 public:
  SubscriptionTree();
  ~SubscriptionTree();

  /// Adds or replaces [MQTT-3.8.4-3]; true when the owner had not subscribed to `filter`. `filter` is valid.
  bool add(std::string_view filter, const Subscriber& subscriber);
  /// False when there was no such subscription.
  bool remove(std::string_view filter, const Subscriber& owner);
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Calls `visit(const Subscriber&)` for every subscription whose filter matches, several times for a session with
  /// several. A filter that starts with a wildcard does not match a topic that starts with '$' [MQTT-4.7.2-1]. `visit`
  /// must not change the tree.
  template <class Visit>
  void match(std::string_view topic, Visit&& visit) const {
    if (size_ != 0) match_below(root_, topic, topic.starts_with('$'), visit);
  }

  /// Levels of a topic name or filter: one more than it has slashes.
  [[nodiscard]] static std::size_t levels(std::string_view topic);

 private:
  struct LevelHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view level) const { return std::hash<std::string_view>{}(level); }
  };
  struct Node;
  using Children = std::unordered_map<std::string, Node, LevelHash, std::equal_to<>>;
  struct Node {
    std::unique_ptr<Children> children;
    std::unique_ptr<Node> plus;
    std::vector<Subscriber> here;   // filters that end at this level
    std::vector<Subscriber> below;  // filters that end here with "/#"
    [[nodiscard]] bool empty() const { return !children && !plus && here.empty() && below.empty(); }
  };

  // `rest` is what follows the levels that led to `node`; only called while there is a level left.
  template <class Visit>
  static void match_below(const Node& node, std::string_view rest, bool no_wildcards, Visit& visit) {
    if (!no_wildcards) {
      for (const Subscriber& subscriber : node.below) visit(subscriber);
    }
    const std::size_t slash = rest.find('/');
    const std::string_view level = rest.substr(0, slash);
    const auto descend = [&](const Node& child) {
      if (slash != std::string_view::npos) {
        match_below(child, rest.substr(slash + 1), false, visit);
        return;
      }
      for (const Subscriber& subscriber : child.here) visit(subscriber);
      // "a/#" matches "a" too (4.7.1.2).
      for (const Subscriber& subscriber : child.below) visit(subscriber);
    };
    if (node.children) {
      if (const auto child = node.children->find(level); child != node.children->end()) descend(child->second);
    }
    if (node.plus && !no_wildcards) descend(*node.plus);
  }
  static bool remove_below(Node& node, std::string_view rest, const Subscriber& owner);

  Node root_;
  std::size_t size_ = 0;
};

}  // namespace millrace::mqtt
