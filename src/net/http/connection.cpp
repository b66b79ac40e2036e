#include "net/http/connection.h"

#include <utility>

#include "base/assert.h"
#include "base/clock.h"

namespace millrace::net::http {
namespace {

constexpr std::size_t kPendingHigh = 1_MiB;
constexpr std::size_t kPendingLow = 64_KiB;

}  // namespace

Responder::~Responder() {
  if (exchange_ != nullptr) respond(Response::error(500, "internal", "the request was not answered"));
}

void Responder::respond(Response response) {
  MR_ASSERT(exchange_ != nullptr);
  std::shared_ptr<Exchange> exchange = std::move(exchange_);
  exchange_ = nullptr;
  Loop& loop = *exchange->loop;
  if (loop.in_loop_thread()) {
    if (exchange->connection != nullptr) exchange->connection->answer(std::move(response));
    return;
  }
  loop.post([exchange = std::move(exchange), response = std::move(response)]() mutable {
    if (exchange->connection != nullptr) exchange->connection->answer(std::move(response));
  });
}

Connection::Connection(Server& server, std::unique_ptr<Stream> stream)
    : server_(server), stream_(std::move(stream)), reader_(server.options().read) {}

Connection::~Connection() {
  if (exchange_ != nullptr) exchange_->connection = nullptr;
  server_.loop().cancel(timer_id_);
}

void Connection::start() {
  set_timer(Timer::idle);
  stream_->set_marks(kPendingLow, kPendingHigh);
  stream_->start(*this);
}

void Connection::set_timer(Timer timer) {
  server_.loop().cancel(std::exchange(timer_id_, 0));
  timer_ = timer;
  if (timer == Timer::none) return;
  const auto delay = timer == Timer::request ? server_.options().request_timeout : server_.options().idle_timeout;
  timer_id_ = server_.loop().run_after(delay, [this] { on_timer(); });
}

void Connection::on_timer() {
  timer_id_ = 0;
  if (timer_ == Timer::request && !closing_) {
    refuse({408, "timed_out", "the request did not arrive in time"});
  } else if (stream_->pending_bytes() != 0) {
    stream_->abort();
  } else {
    closing_ = true;
    stream_->close();
  }
}

std::size_t Connection::on_bytes(ByteView bytes) {
  in_on_bytes_ = true;
  std::size_t taken = 0;
  while (taken < bytes.size() && exchange_ == nullptr && !closing_ && !is_full()) {
    const std::size_t used = reader_.read(bytes.subspan(taken));
    taken += used;
    if (reader_.in_request() && timer_ != Timer::request) set_timer(Timer::request);
    if (reader_.state() == RequestReader::State::refused) {
      refuse(reader_.refusal());
      break;
    }
    if (reader_.state() == RequestReader::State::complete) {
      dispatch(reader_.take());
      continue;
    }
    if (reader_.take_continue()) stream_->send_copy(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
    break;  // the rest of the request is still to come
  }
  in_on_bytes_ = false;
  if (exchange_ != nullptr || is_full()) stream_->pause_reading();
  return closing_ ? bytes.size() : taken;
}

void Connection::dispatch(Request request) {
  set_timer(Timer::none);
  keep_alive_ = request.keep_alive && !draining_;
  with_body_ = request.method != "HEAD";
  exchange_ = std::make_shared<Exchange>(Exchange{&server_.loop(), this});
  server_.handle(std::move(request), Responder(exchange_));
}

void Connection::answer(Response response) {
  if (exchange_ == nullptr) return;
  exchange_->connection = nullptr;
  exchange_.reset();
  send(response, keep_alive_ && !draining_, with_body_);
  if (!closing_) {
    set_timer(Timer::idle);
    if (!in_on_bytes_ && !is_full()) stream_->resume_reading();
  }
}

/// A client that asks on and on without taking the answers is not listened to until it has taken most of them.
bool Connection::is_full() const {
  return stream_->pending_bytes() > kPendingHigh;
}

void Connection::on_drained() {
  if (exchange_ == nullptr && !closing_) stream_->resume_reading();
}

void Connection::refuse(const RequestReader::Refusal& refusal) {
  server_.count_refused();
  send(Response::error(refusal.status, refusal.code, refusal.message), false, true);
}

void Connection::send(const Response& response, bool keep_alive, bool with_body) {
  server_.count(response.status);
  write_response(stream_->output(), response, keep_alive, with_body, SystemClock().wall().count() / 1000);
  stream_->mark_dirty();
  if (keep_alive) return;
  closing_ = true;
  set_timer(Timer::none);
  stream_->close();
}

void Connection::drain() {
  draining_ = true;
  if (exchange_ != nullptr || reader_.in_request() || closing_) return;
  closing_ = true;
  set_timer(Timer::none);
  stream_->close();
}

void Connection::on_closed(const Error&) {
  server_.forget(*this);  // destroys *this
}

}  // namespace millrace::net::http
