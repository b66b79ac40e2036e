#include "mqtt/session/subscription_tree.h"

#include <algorithm>

namespace millrace::mqtt {
namespace {

bool put(std::vector<Subscriber>& list, const Subscriber& subscriber) {
  for (Subscriber& existing : list) {
    if (existing.same_owner(subscriber)) {
      existing = subscriber;
      return false;
    }
  }
  list.push_back(subscriber);
  return true;
}

bool take(std::vector<Subscriber>& list, const Subscriber& owner) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Subscriber& s) { return s.same_owner(owner); });
  if (found == list.end()) return false;
  *found = list.back();
  list.pop_back();
  if (list.empty()) list = {};
  return true;
}

}  // namespace

SubscriptionTree::SubscriptionTree() = default;
SubscriptionTree::~SubscriptionTree() = default;

std::size_t SubscriptionTree::levels(std::string_view topic) {
  return 1 + static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/'));
}

bool SubscriptionTree::add(std::string_view filter, const Subscriber& subscriber) {
  Node* node = &root_;
  for (std::string_view rest = filter;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view level = rest.substr(0, slash);
    if (level == "#") {
      const bool added = put(node->below, subscriber);
      size_ += added ? 1 : 0;
      return added;
    }
    if (level == "+") {
      if (!node->plus) node->plus = std::make_unique<Node>();
      node = node->plus.get();
    } else {
      if (!node->children) node->children = std::make_unique<Children>();
      auto child = node->children->find(level);
      if (child == node->children->end()) child = node->children->try_emplace(std::string(level)).first;
      node = &child->second;
    }
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  const bool added = put(node->here, subscriber);
  size_ += added ? 1 : 0;
  return added;
}

bool SubscriptionTree::remove_below(Node& node, std::string_view rest, const Subscriber& owner) {
  const std::size_t slash = rest.find('/');
  const std::string_view level = rest.substr(0, slash);
  if (level == "#") return take(node.below, owner);
  const auto remove_from = [&](Node& child) {
    return slash == std::string_view::npos ? take(child.here, owner)
                                           : remove_below(child, rest.substr(slash + 1), owner);
  };
  if (level == "+") {
    if (!node.plus || !remove_from(*node.plus)) return false;
    if (node.plus->empty()) node.plus.reset();
    return true;
  }
  if (!node.children) return false;
  const auto child = node.children->find(level);
  if (child == node.children->end() || !remove_from(child->second)) return false;
  if (child->second.empty()) node.children->erase(child);
  if (node.children->empty()) node.children.reset();
  return true;
}

bool SubscriptionTree::remove(std::string_view filter, const Subscriber& owner) {
  if (!remove_below(root_, filter, owner)) return false;
  --size_;
  return true;
}

}  // namespace millrace::mqtt
