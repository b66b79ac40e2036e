// What quotas are about, in Kafka's words (org.apache.kafka.common.quota.ClientQuotaEntity).
#pragma once

#include <string>
#include <string_view>

#include "kafka/server/refusal.h"

namespace millrace::kafka {

[[nodiscard]] inline Refusal check_quota_entity(std::string_view type) {
  if (type == "user" || type == "client-id" || type == "ip") return {};
  if (type.empty()) return {KafkaError::invalid_request, "Unexpected empty entity type"};
  return {KafkaError::unsupported_version, "Custom entity type '" + std::string(type) + "' not supported"};
}

}  // namespace millrace::kafka
