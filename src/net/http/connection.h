// Connection: one HTTP/1.1 connection. Requests are answered strictly one after the other: while an answer is awaited
// nothing is read, so pipelined requests stay in order and take effect in order. Private to net/http.
//
// Timers: a request must have arrived whole in time (408); a connection without a request, or whose client does not
// take its answer, is closed. Thread: the loop's.
#pragma once

#include <memory>

#include "net/http/request_reader.h"
#include "net/http/server.h"
#include "net/stream.h"

namespace millrace::net::http {

struct Exchange {
  Loop* loop;
  Connection* connection;  // null once the connection has gone; only touched on the loop
};

class Connection final : public StreamHandler {
 public:
  Connection(Server& server, std::unique_ptr<Stream> stream);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// No further request is taken; closes once the present one is answered.
  void drain();
  void answer(Response response);

  std::size_t on_bytes(ByteView bytes) override;
  void on_drained() override;
  void on_closed(const Error& reason) override;

 private:
  enum class Timer : std::uint8_t { none, request, idle };
  void dispatch(Request request);
  void refuse(const RequestReader::Refusal& refusal);
  void send(const Response& response, bool keep_alive, bool with_body);
  void set_timer(Timer timer);
  void on_timer();
  [[nodiscard]] bool is_full() const;

  Server& server_;
  std::unique_ptr<Stream> stream_;
  RequestReader reader_;
  std::shared_ptr<Exchange> exchange_;  // of the request being answered
  Loop::TimerId timer_id_ = 0;
  Timer timer_ = Timer::none;
  bool keep_alive_ = true;
  bool with_body_ = true;
  bool draining_ = false;
  bool closing_ = false;
  bool in_on_bytes_ = false;
};

}  // namespace millrace::net::http
