// Kafka's error codes, those that millrace answers with, and the one table from Error to them.
// Kafka protocol guide, "Error Codes".
#pragma once

#include <cstdint>

#include "base/error.h"

namespace millrace::kafka {

enum class KafkaError : std::int16_t {
  unknown_server_error = -1,
  none = 0,
  offset_out_of_range = 1,
  corrupt_message = 2,
  unknown_topic_or_partition = 3,
  request_timed_out = 7,
  message_too_large = 10,
  offset_metadata_too_large = 12,
  coordinator_load_in_progress = 14,
  coordinator_not_available = 15,
  not_coordinator = 16,
  invalid_topic = 17,
  invalid_required_acks = 21,
  illegal_generation = 22,
  inconsistent_group_protocol = 23,
  invalid_group_id = 24,
  unknown_member_id = 25,
  invalid_session_timeout = 26,
  rebalance_in_progress = 27,
  invalid_commit_offset_size = 28,
  topic_authorization_failed = 29,
  group_authorization_failed = 30,
  cluster_authorization_failed = 31,
  invalid_timestamp = 32,
  unsupported_sasl_mechanism = 33,
  illegal_sasl_state = 34,
  unsupported_version = 35,
  topic_already_exists = 36,
  invalid_partitions = 37,
  invalid_replication_factor = 38,
  invalid_replica_assignment = 39,
  invalid_config = 40,
  invalid_request = 42,
  unsupported_for_message_format = 43,
  policy_violation = 44,
  out_of_order_sequence = 45,
  invalid_producer_epoch = 47,
  invalid_txn_state = 48,
  security_disabled = 54,
  kafka_storage_error = 56,
  non_empty_group = 68,
  group_id_not_found = 69,
  sasl_authentication_failed = 58,
  fetch_session_id_not_found = 70,
  invalid_fetch_session_epoch = 71,
  fenced_leader_epoch = 74,
  unknown_leader_epoch = 75,
  unsupported_compression = 76,
  member_id_required = 79,
  group_max_size_reached = 81,
  fenced_instance_id = 82,
  election_not_needed = 84,
  no_reassignment_in_progress = 85,
  group_subscribed_to_topic = 86,
  invalid_record = 87,
  throttling_quota_exceeded = 89,
  resource_not_found = 91,
  duplicate_resource = 92,
  unacceptable_credential = 93,
  unknown_topic_id = 100,
};

[[nodiscard]] constexpr std::int16_t code(KafkaError error) {
  return static_cast<std::int16_t>(error);
}

/// What a client is told about a failed operation on a topic or partition. Retriable where trying again can help.
[[nodiscard]] KafkaError to_kafka(ErrorCode error);

/// What a producer is told about a batch that validate_produced_batch refused.
[[nodiscard]] KafkaError batch_refusal(ErrorCode error);
/// The same about its records: decompressing them failed, or check_records refused them.
[[nodiscard]] KafkaError body_refusal(ErrorCode error);

}  // namespace millrace::kafka
