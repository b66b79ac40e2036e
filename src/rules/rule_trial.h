// RuleTrial: one statement tried on one message, told clause by clause: why it matched, or what kept it from it. For
// people and for tests of rules; the way of live messages is the Evaluator. Pure; thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::rules {

struct TrialMessage {
  std::string sql;
  std::string sql_version = "2016-03-23";
  bool strict = false;
  std::optional<std::string> topic;  // absent: FROM is taken to match
  std::string payload;
  std::string client_id;
  std::string username;
  std::int64_t timestamp = 0;  // milliseconds since 1970
};

/// What was wrong. Of a statement with the place in it, from 1; of a message line and column are 0.
struct TrialError {
  std::string message;
  std::string picture;  // the line with a caret under the column
  int line = 0;
  int column = 0;
};

struct TrialStep {
  /// FROM, SET, payload, WHERE, OR (one side of the condition in front of it), FOREACH, INCASE, SELECT
  std::string clause;
  std::string text;   // as written; of SET and SELECT the name, of INCASE the element
  std::string value;  // JSON; empty: Undefined
  bool held = true;   // false: the rule stops here; of OR and INCASE: not because of this one
  struct Member {
    std::string name;
    std::string value;
  };
  std::vector<Member> members;  // the payload members named in `text`, and what they were
};

struct RuleTrial {
  bool matched = false;  // FROM and WHERE held
  bool expands = false;  // FOREACH: any number of outputs
  std::vector<std::string> outputs;
  std::optional<TrialError> error;
  std::vector<TrialStep> steps;
};

RuleTrial try_rule(const TrialMessage& message);

/// Reads {"sql", "topic"?, "payload" (text, or any JSON) | "payloadBase64", "clientId"?, "principal"?, "timestamp"?,
/// "awsIotSqlVersion"?, "strictSql"?}. `now` stands in for a missing timestamp. Error: malformed with the reason.
Result<TrialMessage> parse_trial(std::string_view json, std::int64_t now);

/// {"matched", "output", "records"?, "error"?: {"message", "line", "column"}, "trace"?} in one line. An output that is
/// no JSON is a string, or "outputBase64" when it is no text.
std::string to_json(const RuleTrial& trial, bool with_trace);

}  // namespace millrace::rules
