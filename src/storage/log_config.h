// LogConfig: the settings of one topic's partitions, under Kafka's names and with Kafka's defaults unless a comment
// says why not.
#pragma once

#include <cstdint>
#include <limits>

namespace millrace::storage {

/// compression.type: what the records of a topic are kept in.
enum class StoredCompression : std::uint8_t { producer, uncompressed, gzip, snappy, lz4, zstd };

/// millrace.disk.full.policy: who gives way when there is no room.
enum class DiskFullPolicy : std::uint8_t {
  back_pressure,  // producers wait; nothing acknowledged is ever given up
  delete_oldest,  // the oldest segments of such topics go first, although their time has not come
};

struct LogConfig {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  std::int64_t retention_ms = 604'800'000;        // retention.ms; -1: for ever
  std::int64_t retention_bytes = -1;              // retention.bytes, per partition; -1: no limit
  std::int64_t segment_bytes = 1'073'741'824;     // segment.bytes
  std::int64_t segment_ms = 604'800'000;          // segment.ms
  std::int64_t segment_jitter_ms = 0;             // segment.jitter.ms
  std::int32_t segment_index_bytes = 10'485'760;  // segment.index.bytes
  std::int32_t index_interval_bytes = 4096;       // index.interval.bytes
  std::int32_t max_message_bytes = 1'048'588;     // max.message.bytes: largest record batch
  std::int64_t flush_messages = 1;  // flush.messages; Kafka: never. 1 here: every commit is synced before its acks
  std::int64_t flush_ms = kNever;   // flush.ms; nothing waits for it, because every commit is synced
  std::int64_t file_delete_delay_ms = 60'000;     // file.delete.delay.ms
  std::int64_t delete_retention_ms = 86'400'000;  // delete.retention.ms
  std::int64_t min_compaction_lag_ms = 0;         // min.compaction.lag.ms
  std::int64_t max_compaction_lag_ms = kNever;    // max.compaction.lag.ms
  double min_cleanable_dirty_ratio = 0.5;         // min.cleanable.dirty.ratio
  std::int64_t timestamp_before_max_ms = kNever;  // message.timestamp.before.max.ms
  std::int64_t timestamp_after_max_ms = kNever;   // message.timestamp.after.max.ms; docs/decisions says why no hour
  bool log_append_time = false;                   // message.timestamp.type = LogAppendTime
  bool compact = false;                           // cleanup.policy has compact
  bool delete_old = true;                         // cleanup.policy has delete
  StoredCompression compression = StoredCompression::producer;
  DiskFullPolicy disk_full = DiskFullPolicy::back_pressure;
  bool operator==(const LogConfig&) const = default;
};

}  // namespace millrace::storage
