#include "net/http/request_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cctype>
#include <utility>

#include "base/assert.h"

namespace millrace::net::http {
namespace {

namespace beast = boost::beast;
using beast::http::error;
using Code = beast::error_code;

std::string lower(beast::string_view text) {
  std::string out(text.data(), text.size());
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// Is `token` one of the comma-separated words of `list`? Both in lower case.
bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
    if (word == token) return true;
  }
  return false;
}

}  // namespace

/// Collects into a Request; the body grows with what arrives, whatever length is claimed.
class RequestReader::Parser final : public beast::http::basic_parser<true> {
 public:
  explicit Parser(const ReadLimits& limits) : max_headers_(limits.headers) {
    // Beast's own count of the head depends on how the bytes arrive; read() counts exactly, this only backs it up.
    header_limit(2 * limits.head_bytes + 1024);
    body_limit(limits.body_bytes);
    eager(false);  // until the head is complete, so that put() stops there
  }

  Request request;
  std::string target;
  bool head_done = false;
  std::size_t head_size = 0;  // of what was taken so far
  bool too_many_headers = false;
  bool continue_told = false;
  // How often the headers came that must come at most once.
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view wanted, int version,
                       Code&) override {
    request.method.assign(method.data(), method.size());
    target.assign(wanted.data(), wanted.size());
    request.http_1_0 = version == 10;
  }
  void on_response_impl(int, beast::string_view, int, Code& ec) override { ec = error::bad_version; }
  void on_field_impl(beast::http::field name, beast::string_view text, beast::string_view value, Code& ec) override {
    if (head_done) return;  // trailers are read and forgotten
    if (request.headers.size() >= max_headers_) {
      too_many_headers = true;
      ec = error::header_limit;
      return;
    }
    hosts += name == beast::http::field::host ? 1 : 0;
    lengths += name == beast::http::field::content_length ? 1 : 0;
    encodings += name == beast::http::field::transfer_encoding ? 1 : 0;
    request.headers.emplace_back(lower(text), std::string(value.data(), value.size()));
  }
  void on_header_impl(Code&) override {
    head_done = true;
    request.keep_alive = keep_alive();
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(beast::string_view body, Code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, Code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(Code&) override {}

  std::uint32_t max_headers_;
};

RequestReader::RequestReader(const ReadLimits& limits) : limits_(limits) {}
RequestReader::~RequestReader() = default;

void RequestReader::refuse(int status, std::string_view code, std::string message) {
  state_ = State::refused;
  refusal_ = {status, code, std::move(message)};
}

std::size_t RequestReader::read(ByteView bytes) {
  if (state_ != State::more) return 0;
  std::size_t taken = 0;
  if (parser_ == nullptr) {
    // Empty lines before a request are ignored (RFC 9112, 2.2).
    while (taken < bytes.size() && (bytes[taken] == '\r' || bytes[taken] == '\n')) ++taken;
    bytes = bytes.subspan(taken);
    if (bytes.empty()) return taken;
    parser_ = std::make_unique<Parser>(limits_);
  }
  Code ec;
  while (!bytes.empty() && !parser_->is_done()) {
    // The shortest end of a chunked body is "0 CRLF CRLF". With less of it there is nothing to finish, and Beast's
    // parser asserts that it is not asked again about a last chunk of which it sees fewer bytes.
    constexpr std::size_t kShortestEnd = 5;
    const bool may_be_the_end = bytes[0] == '0' || bytes[0] == '\r';
    if (parser_->head_done && parser_->chunked() && may_be_the_end && bytes.size() < kShortestEnd) break;
    const bool had_head = parser_->head_done;
    const std::size_t used = parser_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    taken += used;
    bytes = bytes.subspan(used);
    if (!had_head) {
      parser_->head_size += used;
      const std::size_t waiting = parser_->head_done || (ec && ec != error::need_more) ? 0 : bytes.size();
      if (parser_->head_size + waiting > limits_.head_bytes) {
        refuse(431, "headers_too_large", "the head of the request is too large");
        return taken;
      }
    }
    if (!had_head && parser_->head_done) {
      parser_->eager(true);
      check_head();
      if (state_ == State::refused) return taken;
    }
    if (ec || used == 0) break;
  }
  if (ec && ec != error::need_more) {
    if (ec == error::header_limit) {
      refuse(431, "headers_too_large",
             parser_->too_many_headers ? "too many headers" : "the head of the request is too large");
    } else if (ec == error::body_limit) {
      refuse(413, "body_too_large", "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
    } else if (ec == error::bad_version) {
      refuse(505, "bad_version", "HTTP/1.1 and HTTP/1.0 are spoken here");
    } else if (ec == error::bad_content_length || ec == error::bad_transfer_encoding) {
      refuse(400, "ambiguous_length", "the length of the body is not clear: " + ec.message());
    } else {
      refuse(400, "malformed", "not an HTTP request: " + ec.message());
    }
    return taken;
  }
  if (parser_->is_done()) {
    state_ = State::complete;
  } else if (bytes.size() > limits_.head_bytes) {
    // What the parser leaves is less than a line; a line without an end must not gather memory.
    refuse(431, "headers_too_large", "a line of the request is too long");
  }
  return taken;
}

void RequestReader::check_head() {
  Parser& parser = *parser_;
  Request& request = parser.request;
  if (parser.hosts > 1 || (parser.hosts == 0 && !request.http_1_0)) {
    refuse(400, "bad_host", "a request has exactly one Host header");
  } else if (parser.lengths > 0 && parser.encodings > 0) {
    refuse(400, "ambiguous_length", "Content-Length and Transfer-Encoding exclude each other");
  } else if (parser.lengths > 1) {
    refuse(400, "ambiguous_length", "more than one Content-Length");
  } else if (request.header("content-length").find_first_not_of("0123456789") != std::string_view::npos) {
    // Beast takes "5, 5" for 5.
    refuse(400, "ambiguous_length", "a Content-Length is one number");
  } else if (parser.encodings > 0 && (request.http_1_0 || parser.encodings > 1)) {
    refuse(400, "ambiguous_length", "Transfer-Encoding is not allowed here");
  } else if (parser.encodings > 0 && !parser.chunked()) {
    refuse(501, "unknown_encoding", "chunked is the only Transfer-Encoding known");
  } else if (parser.encodings > 0 && lower(std::string(request.header("transfer-encoding"))) != "chunked") {
    refuse(501, "unknown_encoding", "chunked is the only Transfer-Encoding known");
  } else if (!parse_target(parser.target, request)) {
    refuse(400, "bad_target", "the request target is not a path");
  }
}

bool RequestReader::take_continue() {
  if (state_ != State::more || parser_ == nullptr || !parser_->head_done || parser_->continue_told) return false;
  if (parser_->request.http_1_0 || !has_token(lower(std::string(parser_->request.header("expect"))), "100-continue"))
    return false;
  parser_->continue_told = true;
  return true;
}

Request RequestReader::take() {
  MR_ASSERT(state_ == State::complete);
  Request request = std::move(parser_->request);
  parser_.reset();
  state_ = State::more;
  return request;
}

}  // namespace millrace::net::http
