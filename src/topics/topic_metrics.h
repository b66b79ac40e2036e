// What /metrics says about every partition: where its log starts and ends, and how large it is. One label set per
// partition.
#pragma once

#include "metrics/registry.h"
#include "topics/topic_log.h"

namespace millrace::topics {

/// `log` must outlive every exposition of `registry`.
void register_topic_metrics(metrics::Registry& registry, const TopicLog& log);

}  // namespace millrace::topics
