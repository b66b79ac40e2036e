// What a server that starts takes from the log. Thread: the one that starts; blocks.
#pragma once

#include "base/result.h"
#include "mqtt/server/exchange.h"
#include "topics/topic_log.h"

namespace millrace::mqtt {

/// Retained messages, those that have expired left out. Errors: those of reading.
Result<void> restore_retained(const topics::TopicLog& log, Exchange& exchange);

}  // namespace millrace::mqtt
