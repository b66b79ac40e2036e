// Connection: one Kafka client. Cuts frames out of the stream, hands them to the handlers in the order they came, and
// sends the answers in that same order, whenever each of them is ready.
//
// Back-pressure: the stream is not read while too many bytes or requests wait for their answers, or while the client
// does not take its answers. While the whole loop holds too much, those that have a share in it and those that would
// bring a large request are not read; while the log is congested, those whose records wait for it. Consumers and
// whoever only asks go on through both. Nothing taken in is ever dropped for lack of room. Thread: the loop's. Shared
// ownership, because an answer may come after the client is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kafka/protocol/encoder.h"
#include "kafka/server/sasl_session.h"
#include "kafka/server/server_metrics.h"
#include "kafka/server/settings.h"
#include "net/stream.h"

namespace millrace::auth {
class AclAccess;
}

namespace millrace::kafka {

class Endpoint;

/// Something that lasts longer than the call that started it and belongs to a connection (a waiting Fetch).
class Waiter {
 public:
  virtual ~Waiter() = default;
  /// A partition that was watched has news.
  virtual void on_news() = 0;
  /// The server drains: answer with what there is.
  virtual void finish_now() = 0;
  /// The client is gone: release everything.
  virtual void abandon() = 0;
};

struct Response {
  Buffer bytes;  // size field and header included
  std::vector<Splice> splices;
  [[nodiscard]] std::size_t size() const;
};

class Connection final : public net::StreamHandler, public std::enable_shared_from_this<Connection> {
 public:
  /// `listener` outlives the connection.
  Connection(Endpoint& endpoint, std::unique_ptr<net::Stream> stream, const ListenerSettings& listener);
  ~Connection() override;

  void start();
  /// The answer of request `slot`; sent when all earlier ones were.
  void answer(std::uint64_t slot, Response response);
  /// Request `slot` is done and has no answer (acks=0).
  void no_answer(std::uint64_t slot);
  /// Counts, logs, sends what is ready, and closes.
  void close(CloseReason reason, std::string_view detail);
  /// Takes no further request; closes when the last answer was sent.
  void drain();
  /// Closes at once, dropping what was not sent.
  void abort();
  /// The endpoint goes away: what still holds this connection finds it closed.
  void detach();
  /// Reads again if nothing speaks against it any more.
  void check_pressure();

  /// A read of the disk for this connection begins or ends. Meanwhile no further request of it is taken, so that one
  /// connection cannot fill the queue of reads.
  void begin_disk_read() { ++disk_reads_; }
  void end_disk_read();

  /// Records of this connection go to the log, or are there. Meanwhile it feels the log's congestion.
  void begin_append() { ++appends_; }
  void end_append() { --appends_; }

  void add_waiter(std::shared_ptr<Waiter> waiter) { waiters_.push_back(std::move(waiter)); }
  void remove_waiter(const Waiter* waiter);

  [[nodiscard]] Endpoint& endpoint() { return endpoint_; }
  [[nodiscard]] const ListenerSettings& listener() const { return listener_; }
  /// Null when the listener asks for no log-in.
  [[nodiscard]] SaslSession* sasl() { return sasl_.get(); }
  /// Everything may be asked, not only who speaks.
  [[nodiscard]] bool admitted() const { return !sasl_ || endpoint_now() < admitted_until_; }
  /// The log-in succeeded; it holds until `until`.
  void admit(auth::Identity identity, MonoTime until);
  /// Who is logged in, or whose certificate was shown.
  [[nodiscard]] auth::Identity identity() const;
  /// What the client may do; null: everything.
  [[nodiscard]] auth::AclAccess* access();
  /// A log-in is being checked: nothing is read meanwhile.
  void set_checking(bool checking);
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool stalled() const { return paused_; }
  [[nodiscard]] bool idle_since(MonoTime time) const { return slots_.empty() && last_bytes_ < time; }
  [[nodiscard]] std::string peer() const { return stream_ ? stream_->peer_address() : std::string(); }

  std::size_t on_bytes(ByteView bytes) override;
  void on_frame(Buffer frame) override;
  void on_closed(const Error& reason) override;
  void on_drained() override { check_pressure(); }

 private:
  enum class State : std::uint8_t { waiting, silent, ready };
  struct Slot {
    State state = State::waiting;
    std::size_t request_bytes = 0;
    Response response;
  };

  [[nodiscard]] std::size_t frame_limit() const;
  void dispatch(Buffer frame);
  void after_reading();
  void dispatch_token(const SharedBytes& frame);
  std::uint64_t add_slot(std::size_t bytes);
  [[nodiscard]] MonoTime endpoint_now() const;
  Slot* find(std::uint64_t slot);
  void flush();
  void send(Response response);
  [[nodiscard]] bool must_pause() const;

  Endpoint& endpoint_;
  const ListenerSettings& listener_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<SaslSession> sasl_;
  auth::Identity identity_;
  std::unique_ptr<auth::AclAccess> access_;  // made at the first question
  MonoTime admitted_until_{};
  std::deque<Slot> slots_;        // front: the next answer to send
  std::uint64_t first_slot_ = 0;  // number of slots_.front()
  std::size_t in_flight_bytes_ = 0;
  std::size_t queued_bytes_ = 0;  // answers that are ready and wait for an earlier one
  MonoTime last_bytes_{};
  std::vector<std::shared_ptr<Waiter>> waiters_;
  std::size_t disk_reads_ = 0;
  std::size_t appends_ = 0;
  bool large_next_ = false;  // the next request is large and the loop has no room for it
  bool trusted_ = false;     // sent one valid request
  bool checking_ = false;
  bool paused_ = false;
  bool reading_ = false;  // inside on_bytes
  bool draining_ = false;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace millrace::kafka
