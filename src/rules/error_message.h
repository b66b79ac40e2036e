// The message of an errorAction, in AWS IoT's shape:
//   {"ruleName", "topic", "cloudwatchTraceId", "clientId", "base64OriginalPayload",
//    "failures": [{"failedAction", "failedResource", "errorMessage"}, ...]}
#pragma once

#include <span>
#include <string_view>

#include "sql/evaluation.h"

namespace millrace::rules {

struct Failure {
  std::string_view action;    // "KafkaAction", "RepublishAction", "SqlStatement"
  std::string_view resource;  // the topic, as far as it is known
  std::string_view message;
};

/// In the evaluation's arena.
std::string_view write_error_message(sql::Evaluation& evaluation, std::string_view rule,
                                     std::span<const Failure> failures);

}  // namespace millrace::rules
