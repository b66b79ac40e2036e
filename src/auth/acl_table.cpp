#include "auth/acl_table.h"

#include <algorithm>

namespace millrace::auth {
namespace {

bool grants(AclOperation granted, AclOperation asked) {
  using enum AclOperation;
  if (granted == all || granted == asked) return true;
  if (asked == describe) return granted == read || granted == write || granted == remove || granted == alter;
  return asked == describe_configs && granted == alter_configs;
}

}  // namespace

template <class Visit>
void AclTable::each(const AclSubject& who, AclResource resource, Visit visit) const {
  const auto look = [&](const Acl& acl) {
    if (acl.resource != resource || (acl.host != kEveryHost && acl.host != who.host)) return;
    if (acl.principal == kEverybody || acl.principal == who.principal) visit(acl);
  };
  std::ranges::for_each(fixed_, look);
  std::ranges::for_each(stored_, look);
}

bool AclTable::allows(const AclSubject& who, AclOperation operation, AclResource resource,
                      std::string_view name) const {
  bool allowed = false;
  bool denied = false;
  each(who, resource, [&](const Acl& acl) {
    if (denied || !acl.names(resource, name)) return;
    if (acl.verdict == AclVerdict::deny) {
      denied = acl.operation == AclOperation::all || acl.operation == operation;
    } else {
      allowed = allowed || grants(acl.operation, operation);
    }
  });
  if (denied) return false;
  return allowed || (open_ && !any_about(resource, name));
}

bool AclTable::any_about(AclResource resource, std::string_view name) const {
  const auto about_it = [&](const Acl& acl) { return acl.names(resource, name); };
  return std::ranges::any_of(fixed_, about_it) || std::ranges::any_of(stored_, about_it);
}

bool AclTable::allows_any(const AclSubject& who, AclOperation operation, AclResource resource) const {
  std::vector<const Acl*> denials;
  each(who, resource, [&](const Acl& acl) {
    const bool about_it = acl.operation == AclOperation::all || acl.operation == operation;
    if (acl.verdict == AclVerdict::deny && about_it) denials.push_back(&acl);
  });
  // A denial takes a grant away when everything the grant names is denied.
  const auto covered = [&](const Acl& grant) {
    return std::ranges::any_of(denials, [&](const Acl* denial) {
      if (denial->pattern == AclPattern::prefixed)
        return grant.name != kEveryName && grant.name.starts_with(denial->name);
      return denial->name == kEveryName || (grant.pattern == AclPattern::literal && grant.name == denial->name);
    });
  };
  const auto denies_all = [](const Acl* denial) { return denial->name == kEveryName; };
  bool allowed = open_ && std::ranges::none_of(denials, denies_all);
  each(who, resource, [&](const Acl& acl) {
    if (acl.verdict == AclVerdict::allow && grants(acl.operation, operation) && !covered(acl)) allowed = true;
  });
  return allowed;
}

}  // namespace millrace::auth
