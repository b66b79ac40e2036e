// AclAccess: what one client may do, with its memory: a verdict is looked up in the table once and remembered until the
// ACLs change. Thread: its connection's loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/acls.h"
#include "auth/identity.h"

namespace millrace::auth {

class AclAccess {
 public:
  /// `acls` outlives this. `super`: may do everything. `peer`: "192.0.2.7:41234" or "[2001:db8::7]:41234".
  AclAccess(const Acls& acls, const Identity& identity, std::string_view peer, bool super);

  [[nodiscard]] bool may(AclOperation operation, AclResource resource, std::string_view name);
  /// With some resource of this kind, whichever.
  [[nodiscard]] bool may_any(AclOperation operation, AclResource resource) const;
  [[nodiscard]] const std::string& principal() const { return who_.principal; }

 private:
  static constexpr std::size_t kRemembered = 4096;  // verdicts; then it begins anew

  const Acls& acls_;
  const AclSubject who_;
  const bool super_;
  std::uint64_t version_ = 0;
  std::unordered_map<std::string, bool> verdicts_;
  std::string key_;  // of the question that is asked; a member so that its memory is kept
};

}  // namespace millrace::auth
