#include "kafka/server/authorization.h"

#include <algorithm>
#include <span>

#include "auth/acl_access.h"
#include "auth/users.h"

namespace millrace::kafka {
namespace {

using enum AclOperation;
constexpr AclOperation kTopicOperations[] = {read,  write,    create,           remove,
                                             alter, describe, describe_configs, alter_configs};
constexpr AclOperation kGroupOperations[] = {read, remove, describe};
constexpr AclOperation kClusterOperations[] = {create,           alter,         describe,        cluster_action,
                                               describe_configs, alter_configs, idempotent_write};

std::span<const AclOperation> operations_of(auth::AclResource resource) {
  switch (resource) {
    case auth::AclResource::topic:
      return kTopicOperations;
    case auth::AclResource::group:
      return kGroupOperations;
    default:
      return kClusterOperations;
  }
}

bool is_super(Connection& connection) {
  const bool asks = !connection.listener().sasl.empty() || connection.listener().layers.proves_clients;
  if (!asks) return true;
  const auth::Identity identity = connection.identity();
  const auto& super = connection.endpoint().settings().super_users;
  return !identity.anonymous() && std::ranges::find(super, identity.name) != super.end();
}

}  // namespace

bool may(const Request& request, AclOperation operation, auth::AclResource resource, std::string_view name) {
  auth::AclAccess* const access = request.connection().access();
  return access == nullptr || access->may(operation, resource, name);
}

bool may_users(const Request& request, AclOperation operation) {
  if (request.connection().access() != nullptr) return may_cluster(request, operation);
  return is_super(request.connection());
}

bool may_topic(const Request& request, AclOperation operation, std::string_view topic) {
  // What is kept of secrets is for those who may change it.
  if (operation == read && topic == auth::kUsersTopic && !may_users(request, alter)) return false;
  return may(request, operation, auth::AclResource::topic, topic);
}

std::int32_t allowed_operations(const Request& request, auth::AclResource resource, std::string_view name) {
  std::int32_t allowed = 0;
  for (const AclOperation operation : operations_of(resource)) {
    if (may(request, operation, resource, name)) allowed |= 1 << static_cast<int>(operation);
  }
  return allowed;
}

}  // namespace millrace::kafka
