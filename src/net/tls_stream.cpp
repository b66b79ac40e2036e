#include "net/tls_stream.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "net/inbox.h"
#include "net/loop_impl.h"
#include "net/tls_records.h"

namespace millrace::net {
namespace {

class TlsStream;

}  // namespace

struct TlsAcceptor::Shared {
  Loop& loop;
  std::shared_ptr<TlsContext> context;
  Executor* worker;
  TlsMetrics* metrics;
  TlsLimits limits;
  Buffer plain{};             // what one read decrypts to
  std::size_t under_way = 0;  // handshakes
  std::deque<TlsStream*> waiting{};
  MonoTime logged{};  // when a failure was last written to the log
};

namespace {

constexpr MonoTime kBetweenLogLines = std::chrono::seconds(1);

class TlsStream final : public Stream, private StreamHandler, private StreamLayer {
 public:
  TlsStream(std::shared_ptr<TlsAcceptor::Shared> shared, std::unique_ptr<Stream> below)
      : shared_(std::move(shared)), below_(std::move(below)) {}
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  void start(StreamHandler& handler) override;
  void pause_reading() override;
  void resume_reading() override;
  void expect(std::size_t total) override { inbox_.expect(total); }
  void acknowledge_now() override { below_->acknowledge_now(); }
  Buffer& output() override;
  void mark_dirty() override;
  void send(SharedBytes bytes) override;
  [[nodiscard]] std::size_t pending_bytes() const override { return output_.size() + below_->pending_bytes(); }
  void set_marks(std::size_t low, std::size_t high) override { below_->set_marks(low, high); }
  void close() override;
  void abort() override;
  [[nodiscard]] std::string peer_address() const override { return below_->peer_address(); }
  [[nodiscard]] std::optional<PeerIdentity> peer_identity() const override;

 private:
  enum class State : std::uint8_t { fresh, waiting, handshaking, open, closing };

  // From the stream below.
  std::size_t on_bytes(ByteView bytes) override;
  void on_closed(const Error& reason) override;
  void on_drained() override;
  void on_held(std::ptrdiff_t change) override { handler_->on_held(change); }
  // From the loop.
  void run_again() override;
  void write_out() override;

  [[nodiscard]] Loop::Impl& loop() { return shared_->loop.impl(); }
  [[nodiscard]] Inbox::Flow flow() const;
  bool begin_handshake();
  void leave_handshake();
  void handshake_step(ByteView input);
  void step_done(TlsRecords::Progress progress);
  void receive(ByteView records);
  void fail(ErrorCode code, const char* why, std::string detail);
  void release_output();

  std::shared_ptr<TlsAcceptor::Shared> shared_;
  std::unique_ptr<Stream> below_;
  StreamHandler* handler_ = nullptr;
  std::shared_ptr<TlsRecords> records_;  // the worker's while step_running_
  std::shared_ptr<TlsStream*> self_;     // for answers of the worker: null in it once this stream is gone
  Inbox inbox_;
  Buffer output_;  // not yet encrypted
  std::optional<Error> failure_;
  std::uint64_t timer_ = 0;
  std::size_t handshake_bytes_ = 0;
  State state_ = State::fresh;
  bool step_running_ = false;
  bool paused_ = false;
};

TlsStream::~TlsStream() {
  if (self_ != nullptr) *self_ = nullptr;
  leave_handshake();
  loop().layers_again.remove(*this);
  loop().layers_dirty.remove(*this);
}

void TlsStream::start(StreamHandler& handler) {
  handler_ = &handler;
  if (state_ == State::fresh) {
    timer_ = loop().timers.add(loop().now() + shared_->limits.handshake_time, [this] {
      timer_ = 0;
      fail(ErrorCode::timed_out, "the TLS handshake was not finished in time", {});
    });
  }
  below_->start(*this);
  if (!shared_->context->is_server() && begin_handshake()) handshake_step({});
}

Inbox::Flow TlsStream::flow() const {
  if (state_ != State::open) return Inbox::Flow::closed;
  return paused_ ? Inbox::Flow::paused : Inbox::Flow::open;
}

void TlsStream::pause_reading() {
  paused_ = true;
  if (state_ == State::open) below_->pause_reading();
}

void TlsStream::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  if (state_ != State::open) return;
  if (!inbox_.empty()) loop().layers_again.add(*this);
  below_->resume_reading();
}

void TlsStream::run_again() {
  if (flow() != Inbox::Flow::open) return;
  inbox_.deliver(*handler_, [this] { return flow(); });
  inbox_.count_held(*handler_);
}

// -- the handshake

/// False when it has to wait for others.
bool TlsStream::begin_handshake() {
  if (shared_->under_way >= shared_->limits.handshakes) {
    if (state_ == State::fresh) shared_->waiting.push_back(this);
    state_ = State::waiting;
    below_->pause_reading();
    return false;
  }
  ++shared_->under_way;
  state_ = State::handshaking;
  records_ = std::make_shared<TlsRecords>(shared_->context->new_session());
  return true;
}

void TlsStream::leave_handshake() {
  loop().timers.cancel(std::exchange(timer_, 0));
  if (state_ == State::waiting) std::erase(shared_->waiting, this);
  if (state_ != State::handshaking) return;
  --shared_->under_way;
  if (shared_->waiting.empty()) return;
  TlsStream& next = *shared_->waiting.front();
  shared_->waiting.pop_front();
  next.state_ = State::fresh;
  next.below_->resume_reading();
}

void TlsStream::handshake_step(ByteView input) {
  handshake_bytes_ += input.size();
  if (handshake_bytes_ > shared_->limits.handshake_bytes) {
    return fail(ErrorCode::too_large, "the TLS handshake takes too many bytes", {});
  }
  records_->add_input(input);
  if (shared_->worker == nullptr) return step_done(records_->handshake());
  step_running_ = true;
  below_->pause_reading();
  if (self_ == nullptr) self_ = std::make_shared<TlsStream*>(this);
  shared_->worker->post([records = records_, self = self_, &loop = shared_->loop]() mutable {
    const TlsRecords::Progress progress = records->handshake();
    records.reset();
    loop.post([self = std::move(self), progress] {
      if (*self != nullptr) (*self)->step_done(progress);
    });
  });
}

void TlsStream::step_done(TlsRecords::Progress progress) {
  const bool was_paused = std::exchange(step_running_, false);
  if (state_ != State::handshaking) return;
  if (Buffer written = records_->take_output(); !written.empty()) below_->send_copy(written.view());
  if (progress == TlsRecords::Progress::more) {
    if (was_paused) below_->resume_reading();
    return;
  }
  if (progress != TlsRecords::Progress::done) {
    return fail(ErrorCode::protocol_error, "the TLS handshake failed", records_->error());
  }
  leave_handshake();
  state_ = State::open;
  self_.reset();
  if (shared_->metrics != nullptr) (records_->resumed() ? shared_->metrics->resumed : shared_->metrics->full).add();
  if (!output_.empty()) loop().layers_dirty.add(*this);
  const Buffer rest = records_->take_input();
  if (was_paused && !paused_) below_->resume_reading();
  if (!was_paused && paused_) below_->pause_reading();
  if (!rest.empty()) receive(rest.view());
}

std::optional<PeerIdentity> TlsStream::peer_identity() const {
  return records_ == nullptr || step_running_ ? std::nullopt : records_->peer_identity();
}

// -- reading

std::size_t TlsStream::on_bytes(ByteView bytes) {
  if (state_ == State::closing) return bytes.size();
  if (paused_ && state_ == State::open) return 0;
  const std::size_t count = TlsRecords::whole(bytes);
  if (count == 0) return 0;
  if (state_ == State::open) {
    receive(bytes.first(count));
    return count;
  }
  if (state_ != State::handshaking && !begin_handshake()) return 0;
  handshake_step(bytes.first(count));
  return count;
}

void TlsStream::receive(ByteView records) {
  Buffer& into = inbox_.begin(shared_->plain);
  const auto progress = records_->read(records, into, *below_);
  // What came before the end, or before the damage, is the handler's.
  inbox_.end(into, *handler_, [this] { return flow(); });
  if (state_ != State::open) return;
  inbox_.count_held(*handler_);
  if (progress == TlsRecords::Progress::failed) {
    fail(ErrorCode::protocol_error, "the TLS records are wrong", records_->error());
  } else if (progress == TlsRecords::Progress::ended) {
    failure_ = Error{ErrorCode::closed, "closed by the peer", {}};
    close();
  }
}

// -- writing

Buffer& TlsStream::output() {
  if (output_.capacity() == 0) output_ = loop().take_spare();
  return output_;
}

void TlsStream::mark_dirty() {
  if (state_ == State::closing) return release_output();
  if (state_ == State::open) loop().layers_dirty.add(*this);  // before that, the end of the handshake does
}

void TlsStream::send(SharedBytes bytes) {
  if (state_ == State::closing) return;
  constexpr std::size_t kCopied = 4_KiB;  // smaller ones share a record with what is around them
  if (state_ != State::open || bytes.size() < kCopied) return send_copy(bytes.view());
  write_out();
  if (state_ == State::open && !records_->write(bytes.view(), *below_)) {
    fail(ErrorCode::protocol_error, "TLS cannot send", records_->error());
  }
}

void TlsStream::write_out() {
  if (state_ != State::open) return;
  const bool written = records_->write(output_.view(), *below_);
  release_output();
  if (!written) fail(ErrorCode::protocol_error, "TLS cannot send", records_->error());
}

void TlsStream::release_output() {
  loop().give_spare(std::move(output_));
  output_ = Buffer();
}

void TlsStream::on_drained() {
  if (state_ == State::open) handler_->on_drained();
}

// -- ending

void TlsStream::close() {
  if (state_ == State::closing) return;
  write_out();
  if (state_ == State::open) records_->finish(*below_);
  leave_handshake();
  state_ = State::closing;
  release_output();
  below_->close();
}

void TlsStream::abort() {
  leave_handshake();
  state_ = State::closing;
  release_output();
  below_->abort();
}

void TlsStream::fail(ErrorCode code, const char* why, std::string detail) {
  if (state_ == State::closing) return;
  if (shared_->metrics != nullptr && state_ != State::open) shared_->metrics->failed.add();
  failure_ = Error{code, why, std::move(detail)};
  if (loop().now() - shared_->logged >= kBetweenLogLines) {
    shared_->logged = loop().now();
    log::warn("tls_failed", {{"peer", peer_address()}, {"reason", failure_->message()}});
  }
  leave_handshake();
  state_ = State::closing;
  release_output();
  below_->close();
}

void TlsStream::on_closed(const Error& reason) {
  if (shared_->metrics != nullptr && state_ == State::handshaking) shared_->metrics->failed.add();
  leave_handshake();
  state_ = State::closing;
  handler_->on_closed(failure_ ? *failure_ : reason);  // may destroy *this
}

}  // namespace

TlsMetrics::TlsMetrics(metrics::Registry& registry, const std::string& listener)
    : full(registry.counter("millrace_tls_handshakes_total", "TLS handshakes by listener and outcome.",
                            {{"listener", listener}, {"outcome", "full"}})),
      resumed(registry.counter("millrace_tls_handshakes_total", "TLS handshakes by listener and outcome.",
                               {{"listener", listener}, {"outcome", "resumed"}})),
      failed(registry.counter("millrace_tls_handshakes_total", "TLS handshakes by listener and outcome.",
                              {{"listener", listener}, {"outcome", "failed"}})) {}

TlsAcceptor::TlsAcceptor(Loop& loop, std::shared_ptr<TlsContext> context, Executor* worker, TlsMetrics* metrics,
                         TlsLimits limits)
    : shared_(new Shared{loop, std::move(context), worker, metrics, limits}) {}

std::unique_ptr<Stream> TlsAcceptor::wrap(std::unique_ptr<Stream> below) {
  return std::make_unique<TlsStream>(shared_, std::move(below));
}

}  // namespace millrace::net
