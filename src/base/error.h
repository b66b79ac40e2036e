// Error: what went wrong, in a form cheap enough for malformed input on a hot path.
//
// An Error is {code, static context, optional detail}. The common error allocates nothing: `context` points at a string
// literal and `detail` stays empty. Each wire protocol has one table from ErrorCode to its own codes (MQTT reason code,
// Kafka error code, HTTP status).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

enum class ErrorCode : std::uint8_t {
  invalid_argument,     // the caller's value is not allowed
  malformed,            // bytes from outside do not follow their format
  protocol_error,       // well-formed, but not allowed in this state
  too_large,            // over a limit that has a name in the configuration
  unsupported_version,  // a protocol or file version this build does not know
  not_found,            // the named thing does not exist
  already_exists,       // the named thing exists
  out_of_range,         // an offset outside what the log holds
  corrupt,              // stored bytes fail their checksum or structure
  io_error,             // the operating system refused an operation; final for the file it names
  disk_full,            // no room; the operation may be tried again later
  unavailable,          // the other side is not there; may be tried again
  timed_out,            // no answer in time
  permission_denied,    // not allowed to do this
  closed,               // the object was stopped
  fenced,               // an older epoch or generation speaks
  out_of_order,         // a producer sequence number is not the next one
  busy,                 // a queue or quota is full
  locked,               // another process holds the lock
  internal,             // a bug in millrace
};

/// Lower-case words of the code, for log lines ("disk_full").
std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal;
  const char* context = "";  // string literal: what was being done
  std::string detail;        // which file, key or value; empty on hot paths

  /// "context: detail (code)", for people.
  [[nodiscard]] std::string message() const;
};

}  // namespace millrace
