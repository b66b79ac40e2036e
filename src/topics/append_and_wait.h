// append_and_wait: gathered records made durable, for threads that may block (a sink's task).
#pragma once

#include <chrono>

#include "base/result.h"
#include "topics/batch_accumulator.h"
#include "topics/topic_log.h"

namespace millrace::topics {

/// Appends everything `gathered` holds as one atomic request and blocks until it is on disk. Nothing gathered is a
/// success. Errors: those of the items, the last of them; timed_out when no answer came within `patience` (it may still
/// become durable).
Result<void> append_and_wait(TopicLog& log, BatchAccumulator& gathered, std::chrono::milliseconds patience);

}  // namespace millrace::topics
