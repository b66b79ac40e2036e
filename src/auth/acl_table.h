// AclTable: all ACLs as of one moment: those of the permissions file and those of the log. Immutable once shared;
// thread: any.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/acl.h"

namespace millrace::auth {

/// Who asks.
struct AclSubject {
  std::string principal;  // "User:ann"
  std::string host;       // its address, without a port
};

class AclTable {
 public:
  AclTable() = default;
  /// `open`: everybody may do everything with a resource that no ACL is about (allow.everyone.if.no.acl.found).
  AclTable(std::set<Acl> stored, std::vector<Acl> fixed, bool open = false)
      : stored_(std::move(stored)), fixed_(std::move(fixed)), open_(open) {}

  /// Kafka's rule: what nothing allows is denied, and a rule that denies wins. Read, write, delete and alter allow
  /// describe too, alter_configs allows describe_configs.
  [[nodiscard]] bool allows(const AclSubject& who, AclOperation operation, AclResource resource,
                            std::string_view name) const;
  /// Whether there could be a resource of this kind with which `who` may do it (KIP-679).
  [[nodiscard]] bool allows_any(const AclSubject& who, AclOperation operation, AclResource resource) const;

  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] const std::set<Acl>& stored() const { return stored_; }   // of the log
  [[nodiscard]] const std::vector<Acl>& fixed() const { return fixed_; }  // of the file

 private:
  template <class Visit>
  void each(const AclSubject& who, AclResource resource, Visit visit) const;
  [[nodiscard]] bool any_about(AclResource resource, std::string_view name) const;

  std::set<Acl> stored_;
  std::vector<Acl> fixed_;
  bool open_ = false;
};

}  // namespace millrace::auth
