// Who may see and change users.
#pragma once

#include <algorithm>

#include "kafka/server/endpoint.h"

namespace millrace::kafka {

/// On a listener that asks who speaks, only super.users may; on one that does not, everybody may do everything.
[[nodiscard]] inline bool may_administer_users(Endpoint& endpoint, const Connection& connection) {
  const bool asks = !connection.listener().sasl.empty() || connection.listener().layers.proves_clients;
  if (!asks) return true;
  const auth::Identity identity = connection.identity();
  const auto& super = endpoint.settings().super_users;
  return !identity.anonymous() && std::ranges::find(super, identity.name) != super.end();
}

/// What is kept of secrets is for those who may change it.
[[nodiscard]] inline bool may_read_topic(Endpoint& endpoint, const Connection& connection, std::string_view topic) {
  return topic != auth::kUsersTopic || may_administer_users(endpoint, connection);
}

}  // namespace millrace::kafka
