#include "base/error.h"

namespace millrace {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::malformed:
      return "malformed";
    case ErrorCode::protocol_error:
      return "protocol_error";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::unsupported_version:
      return "unsupported_version";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::out_of_range:
      return "out_of_range";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::io_error:
      return "io_error";
    case ErrorCode::disk_full:
      return "disk_full";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timed_out:
      return "timed_out";
    case ErrorCode::permission_denied:
      return "permission_denied";
    case ErrorCode::closed:
      return "closed";
    case ErrorCode::fenced:
      return "fenced";
    case ErrorCode::out_of_order:
      return "out_of_order";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::locked:
      return "locked";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

std::string Error::message() const {
  std::string text = context;
  if (!detail.empty()) {
    if (!text.empty()) text += ": ";
    text += detail;
  }
  text += " (";
  text += to_string(code);
  text += ')';
  return text;
}

}  // namespace millrace
