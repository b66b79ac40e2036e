// ACLs between Kafka's messages and auth: numbers that nobody knows make a request invalid.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/acl.h"
#include "kafka/server/refusal.h"

namespace millrace::kafka {

/// What an ACL API answers while there is no authorisation.
[[nodiscard]] inline Refusal no_authorization() {
  return {KafkaError::security_disabled, "No authorization: set kafka.authorization to acls."};
}

[[nodiscard]] inline std::optional<std::string> owned_filter(const std::optional<std::string_view>& text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

/// The filter of DescribeAcls and DeleteAcls; nullopt when one of its numbers is none of Kafka's.
template <class Message>
[[nodiscard]] std::optional<auth::AclFilter> acl_filter(const Message& message) {
  constexpr std::int8_t kLastResource = 7;  // USER: known, and nothing has it
  constexpr auto known = [](std::int8_t value, auto last) {
    return value >= 1 && value <= static_cast<std::int8_t>(last);
  };
  constexpr std::int8_t kLastOperation = 14;  // DESCRIBE_TOKENS
  if (!known(message.resource_type_filter, kLastResource) || !known(message.operation, kLastOperation) ||
      !known(message.pattern_type_filter, auth::AclPattern::prefixed) ||
      !known(message.permission_type, auth::AclVerdict::allow)) {
    return std::nullopt;
  }
  return auth::AclFilter{.resource = static_cast<auth::AclResource>(message.resource_type_filter),
                         .name = owned_filter(message.resource_name_filter),
                         .pattern = static_cast<auth::AclPattern>(message.pattern_type_filter),
                         .principal = owned_filter(message.principal_filter),
                         .host = owned_filter(message.host_filter),
                         .operation = static_cast<auth::AclOperation>(message.operation),
                         .verdict = static_cast<auth::AclVerdict>(message.permission_type)};
}

}  // namespace millrace::kafka
