#include "kafka/server/error_codes.h"

namespace millrace::kafka {

KafkaError to_kafka(ErrorCode error) {
  switch (error) {
    case ErrorCode::invalid_argument:
      return KafkaError::invalid_request;
    case ErrorCode::malformed:
      return KafkaError::corrupt_message;
    case ErrorCode::protocol_error:
      return KafkaError::invalid_request;
    case ErrorCode::too_large:
      return KafkaError::message_too_large;
    case ErrorCode::unsupported_version:
      return KafkaError::unsupported_version;
    case ErrorCode::not_found:
      return KafkaError::unknown_topic_or_partition;
    case ErrorCode::already_exists:
      return KafkaError::topic_already_exists;
    case ErrorCode::out_of_range:
      return KafkaError::offset_out_of_range;
    case ErrorCode::corrupt:
      return KafkaError::corrupt_message;
    case ErrorCode::io_error:
      return KafkaError::kafka_storage_error;
    case ErrorCode::disk_full:
      return KafkaError::kafka_storage_error;
    case ErrorCode::unavailable:
      return KafkaError::kafka_storage_error;
    case ErrorCode::timed_out:
      return KafkaError::request_timed_out;
    case ErrorCode::permission_denied:
      return KafkaError::policy_violation;
    case ErrorCode::closed:
      return KafkaError::kafka_storage_error;
    case ErrorCode::fenced:
      return KafkaError::invalid_producer_epoch;
    case ErrorCode::out_of_order:
      return KafkaError::out_of_order_sequence;
    case ErrorCode::busy:
      return KafkaError::throttling_quota_exceeded;
    case ErrorCode::locked:
      return KafkaError::kafka_storage_error;
    case ErrorCode::internal:
      return KafkaError::unknown_server_error;
  }
  return KafkaError::unknown_server_error;
}

KafkaError batch_refusal(ErrorCode error) {
  switch (error) {
    case ErrorCode::invalid_argument:
      return KafkaError::invalid_record;
    case ErrorCode::out_of_range:
      return KafkaError::invalid_timestamp;
    case ErrorCode::unsupported_version:
      return KafkaError::unsupported_for_message_format;
    default:
      return KafkaError::corrupt_message;
  }
}

KafkaError body_refusal(ErrorCode error) {
  return error == ErrorCode::too_large ? KafkaError::message_too_large : KafkaError::invalid_record;
}

}  // namespace millrace::kafka
