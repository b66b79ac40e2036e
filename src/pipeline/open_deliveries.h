// The exactly-once deliveries (MQTT QoS 2) that were received but not yet released when the process ended: what a
// client that comes back may send again and must not have stored twice.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "topics/topic_log.h"

namespace millrace::pipeline {

/// Reads the delivery topic from its start and returns the ids that have no tombstone behind them, sorted. Blocks; for
/// start-up. An absent topic holds none. Errors: corrupt, io_error.
Result<std::vector<std::string>> read_open_deliveries(const topics::TopicLog& log);

}  // namespace millrace::pipeline
