// The topics that must exist before the first message: millrace's own, and those of the configuration.
#pragma once

#include "app/settings.h"
#include "base/result.h"
#include "topics/topic_log.h"

namespace millrace::app {

/// Creates what is missing; blocks until it is durable. A topic that exists with other settings is left as it is, with
/// a log line.
Result<void> create_missing_topics(topics::TopicLog& log, const Settings& settings);

}  // namespace millrace::app
