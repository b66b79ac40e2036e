// DeliveryHost: what all delivery sinks share, given by the program.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "rules/rule_set.h"
#include "topics/topic_log.h"

namespace millrace::io {
class FileSystem;
}

namespace millrace::actions {

/// Compacted: which deliveries behind a bookmark are settled; written together with the error messages of those.
inline constexpr std::string_view kMarkTopic = "__rule_delivery_marks";
/// Where an error message goes whose own way is closed.
inline constexpr std::string_view kFallbackErrorTopic = "__rule_errors";

struct DeliveryHost {
  topics::TopicLog& log;
  const Clock& clock;
  /// The folder of the file action; null: none.
  io::FileSystem* files = nullptr;
  /// Requests under way at once, per partition.
  std::size_t connections = 4;
  /// An errorAction's republish: what rules make of it becomes durable together with a record of kMarkTopic under
  /// `mark`. From a sink's thread; blocks until it is. Errors: unavailable, timed_out: it may be tried again.
  struct Publication {
    std::string topic;
    std::string payload;
    std::uint8_t qos = 0;
    bool retain = false;
    std::string mark;
  };
  std::function<Result<void>(const Publication& publication)> publish;
  /// Of the rule by that name, if there is one now.
  std::function<std::shared_ptr<rules::RuleCounters>(std::string_view rule)> counters;
};

}  // namespace millrace::actions
