// DeadLetters: the topic that failed records are copied to, bytes and timestamp as they were, with Kafka Connect's
// headers "__connect.errors.*" when asked (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter).
//
// Thread: the task's; report() blocks until the records are on disk.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/queue_executor.h"
#include "base/result.h"
#include "connect/runtime/failed_record.h"
#include "topics/batch_accumulator.h"
#include "topics/topic_log.h"

namespace millrace::connect {

class DeadLetters {
 public:
  struct Options {
    std::string topic;
    bool with_context = false;
    std::string connector;
    std::int32_t task = 0;
  };
  DeadLetters(topics::TopicLog& log, Options options, std::uint64_t seed)
      : log_(log), options_(std::move(options)), gathered_(log, seed) {}

  /// Makes the topic with one partition when it is missing. Errors: those of create_topic and append; too_large when a
  /// record does not fit into the topic with its headers.
  Result<void> report(std::span<const FailedRecord> failed);

 private:
  Result<void> make_topic();
  Result<void> append_all();
  topics::Placement add(const FailedRecord& failed);

  topics::TopicLog& log_;
  Options options_;
  topics::BatchAccumulator gathered_;
};

}  // namespace millrace::connect
