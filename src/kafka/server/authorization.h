// What the client behind a request may do (KIP-11): every handler asks here before it tells or changes anything.
// Without `kafka.authorization` everybody may do everything, but for the users: their topic and their credentials are
// for super.users on a listener that asks who speaks.
#pragma once

#include <string_view>

#include "auth/acl.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/request.h"

namespace millrace::kafka {

using auth::AclOperation;

[[nodiscard]] bool may(const Request& request, AclOperation operation, auth::AclResource resource,
                       std::string_view name);
/// `operation` on the users of this server: describe, alter.
[[nodiscard]] bool may_users(const Request& request, AclOperation operation);
[[nodiscard]] bool may_topic(const Request& request, AclOperation operation, std::string_view topic);

[[nodiscard]] inline bool may_group(const Request& request, AclOperation operation, std::string_view group) {
  return may(request, operation, auth::AclResource::group, group);
}
[[nodiscard]] inline bool may_cluster(const Request& request, AclOperation operation) {
  return may(request, operation, auth::AclResource::cluster, auth::kClusterName);
}
[[nodiscard]] inline bool may_create_topic(const Request& request, std::string_view topic) {
  return may_cluster(request, AclOperation::create) || may_topic(request, AclOperation::create, topic);
}

/// The operations on a resource that the client may do, as the bit field of KIP-430: bit n is AclOperation n.
[[nodiscard]] std::int32_t allowed_operations(const Request& request, auth::AclResource resource,
                                              std::string_view name);

}  // namespace millrace::kafka
