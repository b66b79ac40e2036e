#include "net/http/message.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>

namespace millrace::net::http {
namespace {

/// Bytes of the character in front, which is not ASCII; 0: what is there is no UTF-8 (RFC 3629 section 4).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&text](std::size_t at) -> unsigned {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
  };
  const unsigned lead = byte(0);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xC0U) != 0x80U) return 0;
  }
  // Longer than needed, surrogates, beyond U+10FFFF.
  const unsigned second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return size;
}

struct Status {
  int code;
  std::string_view phrase;
};

constexpr Status kStatuses[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

std::string_view value_of(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  return value_of(headers, name);
}
std::string_view Request::parameter(std::string_view name) const {
  return value_of(parameters, name);
}
const std::string* Request::query_value(std::string_view name) const {
  const auto found = std::find_if(query.begin(), query.end(), [&](const auto& entry) { return entry.first == name; });
  return found == query.end() ? nullptr : &found->second;
}

Response Response::error(int status, std::string_view code, std::string_view message) {
  return json(status, fmt::format("{{\"error\":{},\"message\":{}}}\n", json_string(code), json_string(message)));
}

Response Response::of(const Error& error) {
  return Response::error(status_of(error.code), to_string(error.code), error.message());
}

std::string_view reason_phrase(int status) {
  const auto* found =
      std::find_if(std::begin(kStatuses), std::end(kStatuses), [&](const Status& s) { return s.code == status; });
  return found == std::end(kStatuses) ? "Unknown" : found->phrase;
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::malformed:
    case ErrorCode::protocol_error:
      return 400;
    case ErrorCode::permission_denied:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::already_exists:
    case ErrorCode::fenced:
    case ErrorCode::out_of_order:
    case ErrorCode::locked:
      return 409;
    case ErrorCode::too_large:
      return 413;
    case ErrorCode::out_of_range:
      return 422;
    case ErrorCode::busy:
      return 429;
    case ErrorCode::unsupported_version:
      return 505;
    case ErrorCode::unavailable:
    case ErrorCode::closed:
      return 503;
    case ErrorCode::timed_out:
      return 504;
    case ErrorCode::disk_full:
      return 507;
    case ErrorCode::corrupt:
    case ErrorCode::io_error:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

bool percent_decode(std::string_view text, bool plus_is_space, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return false;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return false;
    out += c;
  }
  return true;
}

bool parse_target(std::string_view target, Request& request) {
  if (target.empty() || target.front() != '/') return false;
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  std::string decoded;
  if (!percent_decode(request.path, false, decoded) || request.path.find('#') != std::string::npos) return false;
  if (mark == std::string_view::npos) return true;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    std::string key;
    std::string value;
    if (!percent_decode(part.substr(0, equals), true, key)) return false;
    if (equals != std::string_view::npos && !percent_decode(part.substr(equals + 1), true, value)) return false;
    request.query.emplace_back(std::move(key), std::move(value));
  }
  return true;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      const std::size_t size = utf8_sequence(text.substr(at));
      out += size == 0 ? std::string_view("\uFFFD") : text.substr(at, size);
      at += size == 0 ? 0 : size - 1;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

void write_response(Buffer& out, const Response& response, bool keep_alive, bool with_body, std::int64_t wall_seconds) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", response.status,
                                 reason_phrase(response.status), fmt::gmtime(static_cast<std::time_t>(wall_seconds)));
  const bool no_content = response.status == 204 || response.status == 304;
  if (!no_content) {
    head += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", response.content_type, response.body.size());
  }
  // Nothing here may be framed, sniffed into another type, or kept by a cache.
  head += "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";
  for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  out.append(head);
  if (with_body && !no_content) out.append(response.body);
}

}  // namespace millrace::net::http
