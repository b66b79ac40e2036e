// What a topic's settings ask of a producer's batch before it is appended, and what they make of it. Kafka:
// LogValidator. A batch of a topic that asks nothing is not looked into. Thread: any; on the caller's loop, so that
// decompression costs the log thread nothing.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/result.h"
#include "model/record_batch.h"
#include "storage/log_config.h"

namespace millrace::topics {

/// out_of_range (INVALID_TIMESTAMP) when a timestamp of the batch is farther from `now_ms` than
/// message.timestamp.before.max.ms and after.max.ms allow. Its oldest timestamp is taken to be that of its first
/// record.
Result<void> check_timestamps(const BatchHeader& header, const storage::LogConfig& config, std::int64_t now_ms);

/// The batch as compression.type wants it kept; `batch` itself when it is so already, or the producer chooses. Errors:
/// malformed, too_large, internal (the codec refuses).
Result<SharedBytes> as_kept(const BatchHeader& header, SharedBytes batch, storage::StoredCompression wanted);

}  // namespace millrace::topics
