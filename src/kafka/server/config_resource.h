// What the config APIs name their objects by (org.apache.kafka.common.config.ConfigResource).
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "kafka/server/authorization.h"
#include "kafka/server/refusal.h"

namespace millrace::kafka {

enum class ResourceType : std::int8_t { unknown = 0, topic = 2, broker = 4, broker_logger = 8 };

/// Refuses who may not do `operation` (describe_configs, alter_configs) with the settings of a resource.
[[nodiscard]] inline Refusal check_permission(const Request& request, AclOperation operation, std::int8_t type,
                                              std::string_view name) {
  if (static_cast<ResourceType>(type) == ResourceType::topic) {
    if (may_topic(request, operation, name)) return {};
    return {KafkaError::topic_authorization_failed, "Topic authorization failed."};
  }
  if (may_cluster(request, operation)) return {};
  return {KafkaError::cluster_authorization_failed, "Cluster authorization failed."};
}

/// Refuses a name that is not this node's. Empty is the default of all brokers.
[[nodiscard]] inline Refusal check_broker(std::string_view name, std::int32_t node_id) {
  std::int32_t id = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || end != name.data() + name.size()) {
    return {KafkaError::invalid_request, "Broker id must be an integer, but it is: " + std::string(name)};
  }
  if (id == node_id) return {};
  return {KafkaError::invalid_request, "Unexpected broker id, expected " + std::to_string(node_id) +
                                           " or empty string, but received " + std::string(name)};
}

[[nodiscard]] inline Refusal unsupported_resource(std::int8_t type) {
  return {KafkaError::invalid_request, "Unsupported resource type: " + std::to_string(type)};
}

}  // namespace millrace::kafka
