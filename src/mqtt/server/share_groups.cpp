#include "mqtt/server/share_groups.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace::mqtt {

bool ShareGroup::join(ShareMember member) {
  const auto known = std::ranges::find(members_, member.client_id, &ShareMember::client_id);
  if (known != members_.end()) {
    member.handed = known->handed;
    member.serial = known->serial;
    *known = std::move(member);
    return false;
  }
  member.serial = ++last_serial_;
  members_.push_back(std::move(member));
  return true;
}

bool ShareGroup::leave(std::string_view client_id) {
  const bool was_member =
      std::erase_if(members_, [&](const ShareMember& member) { return member.client_id == client_id; }) != 0;
  if (next_ >= members_.size()) next_ = 0;
  return was_member;
}

void ShareGroup::away(ConnectionId connection) {
  const auto known = std::ranges::find(members_, connection, &ShareMember::connection);
  if (known != members_.end()) known->connection = ConnectionId{};
}

ShareMember* ShareGroup::by_serial(std::uint32_t serial) {
  const auto known = std::ranges::find(members_, serial, &ShareMember::serial);
  return known == members_.end() ? nullptr : &*known;
}

ShareGroup& ShareGroups::open(const ShareNamePtr& name, bool& made) {
  auto& group = groups_[name->key];
  made = group == nullptr;
  if (made) {
    group = std::make_unique<ShareGroup>(name);
    tree_.add(name->filter, {.share = group.get()});
  }
  return *group;
}

void ShareGroups::close(const ShareName& name) {
  const auto at = groups_.find(name.key);
  MR_ASSERT(at != groups_.end() && at->second->empty());
  tree_.remove(name.filter, {.share = at->second.get()});
  groups_.erase(at);
}

ShareGroup* ShareGroups::find(const ShareName& name) {
  const auto at = groups_.find(name.key);
  return at == groups_.end() ? nullptr : at->second.get();
}

}  // namespace millrace::mqtt
