// RequestReader: bytes to Requests (RFC 9112). Boost.Beast's incremental parser does the grammar, in request_reader.cpp
// only; what it leaves open is decided here, strictly: a request that two servers could understand differently is
// refused.
//
// Holds a parser only while a request is being read. Thread: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "net/http/message.h"

namespace millrace::net::http {

struct ReadLimits {
  std::uint32_t head_bytes = 16 * 1024;  // request line and headers
  std::uint32_t headers = 100;
  std::uint64_t body_bytes = 1U << 20U;
};

class RequestReader {
 public:
  enum class State : std::uint8_t { more, complete, refused };
  struct Refusal {
    int status = 400;
    std::string_view code;
    std::string message;
  };

  explicit RequestReader(const ReadLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Takes bytes from the front and returns how many; the rest must come again with more behind it. Stops at the end of
  /// a request. After `refused` the connection cannot go on.
  std::size_t read(ByteView bytes);
  [[nodiscard]] State state() const { return state_; }
  /// True between the first byte of a request and take().
  [[nodiscard]] bool in_request() const { return parser_ != nullptr; }
  /// True once per request: the client waits for "100 Continue" before it sends the body.
  bool take_continue();
  /// Requires complete; the next request may be read afterwards.
  Request take();
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }

 private:
  class Parser;
  void refuse(int status, std::string_view code, std::string message);
  void check_head();

  ReadLimits limits_;
  std::unique_ptr<Parser> parser_;
  State state_ = State::more;
  Refusal refusal_;
};

}  // namespace millrace::net::http
