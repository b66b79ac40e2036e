// ShareGroups: the shared subscriptions whose home is one loop (MQTT 5.0 section 4.8.2), and who gets their next
// message.
//
// A group has one home loop, chosen by its name and filter, however its members are spread: that loop has the group in
// its subscription tree and hands each message to one member, in turn, wherever it is connected. So nothing is locked
// and no message is handed out twice. With a log a group is fed from the message topic like a persistent session: it
// goes on without a member that is connected, for as long as one session holds the subscription. Thread: the home
// loop's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mqtt/session/outbound_message.h"
#include "mqtt/session/share_backlog.h"
#include "mqtt/session/subscription_tree.h"

namespace millrace::mqtt {

struct ShareMember {
  std::string client_id;
  ConnectionId connection;  // none: away
  protocol::SubscriptionOptions options = {};
  std::uint32_t identifier = 0;
  std::uint32_t window = 0;  // messages it may have that are not settled
  std::uint32_t handed = 0;  // of the log, not settled
  std::uint32_t serial = 0;  // tells members of a group apart, those that were included
  [[nodiscard]] bool online() const { return connection != ConnectionId{}; }
};

class ShareGroup {
 public:
  explicit ShareGroup(ShareNamePtr name) : name_(std::move(name)) {}

  [[nodiscard]] const ShareNamePtr& name() const { return name_; }
  /// Adds, or replaces all but what it has been handed; true when it is new.
  bool join(ShareMember member);
  /// False when it was no member.
  bool leave(std::string_view client_id);
  /// `connection` is gone; the subscription stays.
  void away(ConnectionId connection);
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  /// The next in turn who is connected and for whom `fits` holds; null when there is none.
  template <class Fits>
  ShareMember* pick(Fits&& fits) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const std::size_t at = (next_ + i) % members_.size();
      if (!members_[at].online() || !fits(members_[at])) continue;
      next_ = (at + 1) % members_.size();
      return &members_[at];
    }
    return nullptr;
  }
  /// Null when that one has left.
  [[nodiscard]] ShareMember* by_serial(std::uint32_t serial);

  ShareBacklog backlog;  // with a log
  /// Members (with their QoS 2 message) who must hear when what was settled is durable.
  struct Confirmation {
    ConnectionId connection;
    Offset offset;
  };
  std::vector<Confirmation> to_confirm;
  bool changed = false;  // since its record was written

 private:
  ShareNamePtr name_;
  std::vector<ShareMember> members_;
  std::size_t next_ = 0;
  std::uint32_t last_serial_ = 0;
};

class ShareGroups {
 public:
  explicit ShareGroups(SubscriptionTree& tree) : tree_(tree) {}

  /// Made when there is none: `made` says so.
  ShareGroup& open(const ShareNamePtr& name, bool& made);
  /// Requires a group without members.
  void close(const ShareName& name);
  /// Null when it has no member.
  [[nodiscard]] ShareGroup* find(const ShareName& name);
  [[nodiscard]] std::size_t size() const { return groups_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& [key, group] : groups_) visit(*group);
  }

 private:
  SubscriptionTree& tree_;
  std::unordered_map<std::string, std::unique_ptr<ShareGroup>> groups_;
};

}  // namespace millrace::mqtt
