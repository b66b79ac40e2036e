// The message of an errorAction, in AWS IoT's shape:
//   {"ruleName", "topic", "cloudwatchTraceId", "clientId", "base64OriginalPayload",
//    "failures": [{"failedAction", "failedResource", "errorMessage"}, ...]}
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"
#include "sql/arena.h"

namespace millrace::rules {

struct Failure {
  std::string_view action;    // "KafkaAction", "RepublishAction", "HttpAction", ..., "SqlStatement"
  std::string_view resource;  // the topic or URL, as far as it is known
  std::string_view message;
};

/// The message that a rule failed for.
struct FailedMessage {
  std::string_view rule;
  std::string_view topic;
  std::string_view trace_id;
  std::string_view client_id;
  ByteView payload;
};

/// In the arena.
std::string_view write_error_message(sql::Arena& arena, const FailedMessage& message,
                                     std::span<const Failure> failures);

}  // namespace millrace::rules
