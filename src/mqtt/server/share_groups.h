// ShareGroups: the shared subscriptions whose home is one loop (MQTT 5.0 section 4.8.2), and who gets their next
// message.
//
// A group has one home loop, chosen by its name and filter, however its members are spread: that loop has the group in
// its subscription tree and hands each message to one member, in turn, wherever it is connected. So nothing is locked
// and no message is handed out twice. Thread: the home loop's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mqtt/session/outbound_message.h"
#include "mqtt/session/subscription_tree.h"

namespace millrace::mqtt {

struct ShareMember {
  ConnectionId connection;
  protocol::SubscriptionOptions options;
  std::uint32_t identifier = 0;
};

class ShareGroup {
 public:
  explicit ShareGroup(ShareNamePtr name) : name_(std::move(name)) {}

  [[nodiscard]] const ShareNamePtr& name() const { return name_; }
  /// Adds or replaces.
  void join(const ShareMember& member);
  void leave(ConnectionId connection);
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  /// The next in turn for whom `fits` holds, else the next in turn. Requires !empty().
  template <class Fits>
  const ShareMember& pick(Fits&& fits) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const std::size_t at = (next_ + i) % members_.size();
      if (!fits(members_[at])) continue;
      next_ = (at + 1) % members_.size();
      return members_[at];
    }
    next_ = (next_ + 1) % members_.size();
    return members_[next_];
  }

 private:
  ShareNamePtr name_;
  std::vector<ShareMember> members_;
  std::size_t next_ = 0;
};

class ShareGroups {
 public:
  explicit ShareGroups(SubscriptionTree& tree) : tree_(tree) {}

  /// True when the group is new, and so is its place in the tree.
  bool join(const ShareNamePtr& name, const ShareMember& member);
  /// True when that was its last member, and the group is gone.
  bool leave(const ShareName& name, ConnectionId connection);
  /// Null when it has no member.
  [[nodiscard]] ShareGroup* find(const ShareName& name);
  [[nodiscard]] std::size_t size() const { return groups_.size(); }

 private:
  [[nodiscard]] static std::string key(const ShareName& name) { return name.name + '/' + name.filter; }

  SubscriptionTree& tree_;
  std::unordered_map<std::string, std::unique_ptr<ShareGroup>> groups_;
};

}  // namespace millrace::mqtt
