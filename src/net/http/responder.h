// Responder: the right to answer one request, once, now or later, from any thread. One that is dropped unused answers
// 500, so that no client waits for ever. Answering after the connection has gone does nothing.
#pragma once

#include <memory>

#include "net/http/message.h"

namespace millrace::net::http {

class Connection;
struct Exchange;  // one request being answered

class Responder {
 public:
  explicit Responder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) = delete;
  ~Responder();

  /// Requires that it was not called before. Thread: any.
  void respond(Response response);

 private:
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace millrace::net::http
