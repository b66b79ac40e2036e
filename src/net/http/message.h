// Request and Response: what a handler gets and gives (RFC 9110). Plain values. Thread: one owner at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"

namespace millrace::net::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;  // "GET"; HEAD stays HEAD here, though GET's handler answers it
  std::string path;    // as sent, without the query; use parameter() for decoded parts of it
  Fields parameters;   // the {names} of the route's pattern, decoded
  Fields query;        // decoded, in the order given
  Fields headers;      // names in lower case
  std::string body;
  bool keep_alive = true;
  bool http_1_0 = false;

  /// The first value of the header, or empty. `name` in lower case.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] std::string_view parameter(std::string_view name) const;
  /// The first value of the query key, or null when it is not there.
  [[nodiscard]] const std::string* query_value(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  Fields headers;
  std::string body;

  static Response json(int status, std::string body) { return {status, "application/json", {}, std::move(body)}; }
  /// {"error": code, "message": message}
  static Response error(int status, std::string_view code, std::string_view message);
  static Response of(const Error& error);
};

/// "Not Found"
std::string_view reason_phrase(int status);
/// The one table from Error to HTTP.
int status_of(ErrorCode code);

/// Decodes %xx (and '+' as a space in a query). False when an escape is incomplete or a control character comes out.
bool percent_decode(std::string_view text, bool plus_is_space, std::string& out);
/// Splits a request target in origin form ("/a/b?x=1") into path and query. False: not of that form.
bool parse_target(std::string_view target, Request& request);

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 are passed on as they are.
std::string json_string(std::string_view text);

/// Appends head and body as they go over the wire. `wall_seconds` is the Date. `with_body` false answers HEAD.
void write_response(Buffer& out, const Response& response, bool keep_alive, bool with_body, std::int64_t wall_seconds);

}  // namespace millrace::net::http
