// DeadLetters: the topic that failed records are copied to, bytes and timestamp as they were, with Kafka Connect's
// headers "__connect.errors.*" when asked (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter).
//
// Thread: the task's; report() blocks until the records are on disk.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "connect/runtime/blocking_log.h"
#include "connect/runtime/failed_record.h"
#include "topics/batch_accumulator.h"

namespace millrace::connect {

class DeadLetters {
 public:
  struct Options {
    std::string topic;
    bool with_context = false;
    std::string connector;
    std::int32_t task = 0;
  };
  DeadLetters(BlockingLog log, Options options, std::uint64_t seed)
      : log_(std::move(log)), options_(std::move(options)), gathered_(log_.log(), seed) {}

  /// Makes the topic with one partition when it is missing. Errors: those of create_topic and append; too_large when a
  /// record does not fit into the topic with its headers.
  Result<void> report(std::span<const FailedRecord> failed);

 private:
  topics::Placement add(const FailedRecord& failed);

  BlockingLog log_;
  Options options_;
  topics::BatchAccumulator gathered_;
};

}  // namespace millrace::connect
