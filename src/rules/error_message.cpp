#include "rules/error_message.h"

#include "codec/base64.h"
#include "sql/value.h"

namespace millrace::rules {

std::string_view write_error_message(sql::Arena& arena, const FailedMessage& message,
                                     std::span<const Failure> failures) {
  const std::size_t encoded = base64_size(message.payload.size());
  sql::TextWriter out(arena, encoded + 1024);
  const auto member = [&out](std::string_view lead, std::string_view value) {
    out.append(lead);
    sql::write_json_string(out, value);
  };
  member("{\"ruleName\":", message.rule);
  member(",\"topic\":", message.topic);
  member(",\"cloudwatchTraceId\":", message.trace_id);
  member(",\"clientId\":", message.client_id.empty() ? std::string_view("n/a") : message.client_id);
  out.append(",\"base64OriginalPayload\":\"");
  encode_base64(message.payload, out.prepare(encoded));
  out.commit(encoded);
  out.append("\",\"failures\":[");
  for (std::size_t i = 0; i < failures.size(); ++i) {
    member(i == 0 ? "{\"failedAction\":" : ",{\"failedAction\":", failures[i].action);
    member(",\"failedResource\":", failures[i].resource);
    member(",\"errorMessage\":", failures[i].message);
    out.push('}');
  }
  out.append("]}");
  return out.finish();
}

}  // namespace millrace::rules
