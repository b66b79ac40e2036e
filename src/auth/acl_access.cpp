#include "auth/acl_access.h"

namespace millrace::auth {
namespace {

std::string host_of(std::string_view peer) {
  std::string_view host = peer.substr(0, peer.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

}  // namespace

AclAccess::AclAccess(const Acls& acls, const Identity& identity, std::string_view peer, bool super)
    : acls_(acls),
      who_{identity.anonymous() ? std::string(kAnonymous) : "User:" + identity.name, host_of(peer)},
      super_(super) {}

bool AclAccess::may(AclOperation operation, AclResource resource, std::string_view name) {
  if (super_) return true;
  if (const std::uint64_t version = acls_.version(); version != version_ || verdicts_.size() >= kRemembered) {
    verdicts_.clear();
    version_ = version;
  }
  key_.assign({static_cast<char>(operation), static_cast<char>(resource)});
  key_ += name;
  const auto known = verdicts_.find(key_);
  if (known != verdicts_.end()) return known->second;
  const bool allowed = acls_.table()->allows(who_, operation, resource, name);
  verdicts_.emplace(key_, allowed);
  return allowed;
}

bool AclAccess::may_any(AclOperation operation, AclResource resource) const {
  return super_ || acls_.table()->allows_any(who_, operation, resource);
}

}  // namespace millrace::auth
