// LogConfig: the settings of one topic's partitions, under Kafka's names and with Kafka's defaults unless a comment
// says why not.
#pragma once

#include <cstdint>

namespace millrace::storage {

struct LogConfig {
  std::int64_t retention_ms = 604'800'000;     // retention.ms; -1: for ever
  std::int64_t retention_bytes = -1;           // retention.bytes, per partition; -1: no limit
  std::int64_t segment_bytes = 1'073'741'824;  // segment.bytes
  std::int64_t segment_ms = 604'800'000;       // segment.ms
  std::int32_t index_interval_bytes = 4096;    // index.interval.bytes
  std::int32_t max_message_bytes = 1'048'588;  // max.message.bytes: largest record batch
  std::int64_t flush_messages = 1;  // flush.messages; Kafka: never. 1 here: every commit is synced before its acks
  std::int64_t file_delete_delay_ms = 60'000;  // file.delete.delay.ms
  bool log_append_time = false;                // message.timestamp.type = LogAppendTime
  bool compact = false;                        // cleanup.policy has compact
  bool delete_old = true;                      // cleanup.policy has delete
  bool operator==(const LogConfig&) const = default;
};

}  // namespace millrace::storage
