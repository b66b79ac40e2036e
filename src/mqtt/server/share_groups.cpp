#include "mqtt/server/share_groups.h"

#include <algorithm>

namespace millrace::mqtt {

void ShareGroup::join(const ShareMember& member) {
  const auto known = std::ranges::find(members_, member.connection, &ShareMember::connection);
  if (known != members_.end()) {
    *known = member;
  } else {
    members_.push_back(member);
  }
}

void ShareGroup::leave(ConnectionId connection) {
  std::erase_if(members_, [&](const ShareMember& member) { return member.connection == connection; });
  if (next_ >= members_.size()) next_ = 0;
}

bool ShareGroups::join(const ShareNamePtr& name, const ShareMember& member) {
  auto& group = groups_[key(*name)];
  const bool made = group == nullptr;
  if (made) {
    group = std::make_unique<ShareGroup>(name);
    tree_.add(name->filter, {.share = group.get()});
  }
  group->join(member);
  return made;
}

bool ShareGroups::leave(const ShareName& name, ConnectionId connection) {
  const auto at = groups_.find(key(name));
  if (at == groups_.end()) return false;
  at->second->leave(connection);
  if (!at->second->empty()) return false;
  tree_.remove(name.filter, {.share = at->second.get()});
  groups_.erase(at);
  return true;
}

ShareGroup* ShareGroups::find(const ShareName& name) {
  const auto at = groups_.find(key(name));
  return at == groups_.end() ? nullptr : at->second.get();
}

}  // namespace millrace::mqtt
