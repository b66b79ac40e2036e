#include "kafka/server/connection.h"

#include <algorithm>

#include "auth/acl_access.h"
#include "base/assert.h"
#include "base/byte_writer.h"
#include "base/endian.h"
#include "base/log.h"
#include "kafka/protocol/header.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/log_in.h"
#include "kafka/server/request.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kSizeField = 4;
constexpr std::int32_t kMinFrame = 8;  // api key, version and correlation id
// An unfinished frame of at least this size is read by the stream straight into its own memory; a smaller one is left
// to come again.
constexpr std::size_t kGatherBytes = 64_KiB;

constexpr std::string_view kAnonymousUser = "ANONYMOUS";  // the name Kafka gives to who did not log in

/// What a client may send before it has logged in.
bool may_come_first(ApiKey key) {
  return key == ApiKey::api_versions || key == ApiKey::sasl_handshake || key == ApiKey::sasl_authenticate;
}

}  // namespace

std::size_t Response::size() const {
  std::size_t total = bytes.size();
  for (const Splice& splice : splices) total += splice.size();
  return total;
}

Connection::Connection(Endpoint& endpoint, std::unique_ptr<net::Stream> stream, const ListenerSettings& listener)
    : endpoint_(endpoint), listener_(listener), stream_(std::move(stream)), last_bytes_(endpoint.clock().mono()) {
  if (!listener_.sasl.empty()) {
    MR_ASSERT(endpoint_.settings().authenticator != nullptr);
    sasl_ = std::make_unique<SaslSession>(*endpoint_.settings().authenticator);
  }
}

Connection::~Connection() = default;

void Connection::start() {
  const std::size_t high = endpoint_.settings().connection_pending_bytes;
  stream_->set_marks(high / 2, high);
  stream_->start(*this);
}

MonoTime Connection::endpoint_now() const {
  return endpoint_.clock().mono();
}

void Connection::admit(auth::Identity identity, MonoTime until) {
  identity_ = std::move(identity);
  admitted_until_ = until;
}

auth::Identity Connection::identity() const {
  if (sasl_ || !stream_) return identity_;
  const auto certificate = stream_->peer_identity();
  if (!certificate) return {};
  return {certificate->common_name, auth::Proof::certificate};
}

auth::AclAccess* Connection::access() {
  const ServerSettings& settings = endpoint_.settings();
  if (settings.acls == nullptr) return nullptr;
  if (!access_) {
    const auth::Identity who = identity();
    const std::string_view name = who.anonymous() ? kAnonymousUser : std::string_view(who.name);
    const bool super = std::ranges::find(settings.super_users, name) != settings.super_users.end();
    access_ = std::make_unique<auth::AclAccess>(*settings.acls, who, peer(), super);
  }
  return access_.get();
}

void Connection::set_checking(bool checking) {
  checking_ = checking;
  check_pressure();
}

std::size_t Connection::frame_limit() const {
  const ServerSettings& settings = endpoint_.settings();
  if (!admitted()) return settings.unauthenticated_request_max_bytes;
  return trusted_ ? settings.request_max_bytes : std::min(settings.first_request_max_bytes, settings.request_max_bytes);
}

std::size_t Connection::on_bytes(ByteView bytes) {
  last_bytes_ = endpoint_.clock().mono();
  reading_ = true;
  large_next_ = false;
  std::size_t used = 0;
  while (!closing_ && !draining_ && !must_pause() && bytes.size() - used >= kSizeField) {
    const auto size = load_be<std::int32_t>(bytes.data() + used);
    const std::int32_t smallest = sasl_ && sasl_->takes_raw_tokens() ? 0 : kMinFrame;
    if (size < smallest || static_cast<std::size_t>(size) > frame_limit()) {
      close(CloseReason::frame_size, std::to_string(size));
      break;
    }
    const ByteView rest = bytes.subspan(used + kSizeField);
    const auto frame_size = static_cast<std::size_t>(size);
    if (rest.size() < frame_size) {
      large_next_ = frame_size >= kGatherBytes && endpoint_.full();
      if (frame_size >= kGatherBytes && !large_next_) {
        used += kSizeField;
        stream_->expect(frame_size);
      }
      break;
    }
    Buffer frame(frame_size);
    frame.append(rest.first(frame_size));
    used += kSizeField + frame_size;
    dispatch(std::move(frame));
  }
  reading_ = false;
  endpoint_.metrics().bytes_received.add(used);
  if (closing_ || draining_) return bytes.size();
  after_reading();
  return used;
}

void Connection::on_frame(Buffer frame) {
  if (closing_ || draining_) return;
  last_bytes_ = endpoint_.clock().mono();
  endpoint_.metrics().bytes_received.add(frame.size());
  reading_ = true;
  dispatch(std::move(frame));
  reading_ = false;
  after_reading();
}

// What waits for the log is answered after a sync; a producer may have more to send meanwhile.
void Connection::after_reading() {
  if (appends_ != 0 && !closing_) stream_->acknowledge_now();
  check_pressure();
}

void Connection::dispatch(Buffer frame) {
  const SharedBytes shared{std::move(frame)};
  if (sasl_ && sasl_->takes_raw_tokens()) return dispatch_token(shared);
  ByteReader reader(shared.view());
  const auto header = read_request_header(reader);
  if (!header) return close(CloseReason::malformed_request, header.error().message());
  const ServedApi* api = find_served_api(header->api_key);
  if (api == nullptr) return close(CloseReason::unknown_api, "api key " + std::to_string(header->api_key));
  if (!admitted() && !may_come_first(api->key)) {
    return close(CloseReason::unauthenticated, std::string(api->codec().name) + " before the log-in");
  }
  const bool served = header->api_version >= api->first_served && header->api_version <= api->last;
  if (!served && api->key != ApiKey::api_versions) {
    return close(CloseReason::unsupported_version,
                 std::string(api->codec().name) + " version " + std::to_string(header->api_version));
  }
  trusted_ = true;
  endpoint_.count_request(api->codec());
  const std::uint64_t slot = add_slot(shared.size());
  const auto body = shared.view().last(reader.remaining());
  api->handle(endpoint_, Request(shared_from_this(), slot, *header, api->codec(), shared, body));
}

std::uint64_t Connection::add_slot(std::size_t bytes) {
  slots_.emplace_back().request_bytes = bytes;
  in_flight_bytes_ += bytes;
  endpoint_.add_in_flight(bytes);
  return first_slot_ + slots_.size() - 1;
}

// After SaslHandshake version 0 the tokens come and go as frames without headers, until the log-in is done.
void Connection::dispatch_token(const SharedBytes& frame) {
  const std::uint64_t slot = add_slot(frame.size());
  log_in(shared_from_this(), frame.view(), [self = shared_from_this(), slot](const LogInStep& step) {
    if (step.error) return self->close(CloseReason::log_in_refused, *step.error);
    Response response;
    ByteWriter out(response.bytes);
    out.be(static_cast<std::int32_t>(step.token.size()));
    out.text(step.token);
    self->answer(slot, std::move(response));
  });
}

Connection::Slot* Connection::find(std::uint64_t slot) {
  if (closed_ || closing_) return nullptr;
  MR_ASSERT(slot >= first_slot_ && slot - first_slot_ < slots_.size());
  return &slots_[slot - first_slot_];
}

void Connection::answer(std::uint64_t slot, Response response) {
  Slot* const at = find(slot);
  if (at == nullptr) return;
  queued_bytes_ += response.size();
  at->response = std::move(response);
  at->state = State::ready;
  flush();
}

void Connection::no_answer(std::uint64_t slot) {
  Slot* const at = find(slot);
  if (at == nullptr) return;
  at->state = State::silent;
  flush();
}

void Connection::flush() {
  while (!slots_.empty() && slots_.front().state != State::waiting) {
    Slot& slot = slots_.front();
    in_flight_bytes_ -= slot.request_bytes;
    endpoint_.remove_in_flight(slot.request_bytes);
    if (slot.state == State::ready) {
      queued_bytes_ -= slot.response.size();
      send(std::move(slot.response));
    }
    slots_.pop_front();
    ++first_slot_;
  }
  if (draining_ && slots_.empty()) return close(CloseReason::stopping, "");
  check_pressure();
}

void Connection::send(Response response) {
  endpoint_.metrics().bytes_sent.add(response.size());
  Buffer& out = stream_->output();
  std::size_t at = 0;
  for (Splice& splice : response.splices) {
    stream_->send_copy(response.bytes.view(at, splice.position - at));
    at = splice.position;
    if (splice.file.empty()) {
      stream_->send(std::move(splice.bytes));
    } else {
      stream_->send_file(std::move(splice.file));
    }
  }
  if (at < response.bytes.size()) out.append(response.bytes.view(at, response.bytes.size() - at));
  stream_->mark_dirty();
}

bool Connection::must_pause() const {
  const ServerSettings& settings = endpoint_.settings();
  const bool own = disk_reads_ != 0 || checking_ || in_flight_bytes_ >= settings.connection_in_flight_bytes ||
                   slots_.size() >= settings.connection_in_flight_requests ||
                   queued_bytes_ + stream_->pending_bytes() > settings.connection_pending_bytes;
  return own || (endpoint_.full() && (in_flight_bytes_ != 0 || large_next_)) ||
         (appends_ != 0 && endpoint_.log().congested());
}

void Connection::end_disk_read() {
  --disk_reads_;
  check_pressure();
}

void Connection::check_pressure() {
  if (reading_ || closing_ || closed_ || draining_) return;
  const bool pause = must_pause();
  if (pause == paused_) return;
  paused_ = pause;
  if (pause) {
    endpoint_.metrics().reading_paused.add();
    stream_->pause_reading();
    endpoint_.watch_stalled(weak_from_this());
  } else {
    stream_->resume_reading();
  }
}

void Connection::close(CloseReason reason, std::string_view detail) {
  if (closing_ || closed_) return;
  closing_ = true;
  endpoint_.metrics().closed[static_cast<std::size_t>(reason)]->add();
  const bool expected = reason == CloseReason::idle || reason == CloseReason::stopping;
  if (!expected) {
    if (const auto line = endpoint_.closed_lines().take(endpoint_.clock().mono())) {
      log::warn(
          "kafka_connection_closed",
          {{"peer", peer()}, {"reason", to_string(reason)}, {"detail", detail}, {"lines_left_out", line->left_out}});
    }
  }
  stream_->close();
}

void Connection::drain() {
  if (draining_ || closing_ || closed_) return;
  draining_ = true;
  stream_->pause_reading();
  // A copy: finishing removes itself.
  for (const auto& waiter : std::vector(waiters_)) waiter->finish_now();
  if (slots_.empty()) close(CloseReason::stopping, "");
}

void Connection::abort() {
  if (closed_) return;
  closing_ = true;
  stream_->abort();
}

void Connection::remove_waiter(const Waiter* waiter) {
  std::erase_if(waiters_, [waiter](const auto& entry) { return entry.get() == waiter; });
}

void Connection::detach() {
  closed_ = true;
  for (const auto& waiter : std::exchange(waiters_, {})) waiter->abandon();
  stream_.reset();
}

void Connection::on_closed(const Error& reason) {
  (void)reason;
  endpoint_.remove_in_flight(in_flight_bytes_);
  in_flight_bytes_ = 0;
  detach();
  endpoint_.remove(*this);  // may be the last owner: nothing may follow
}

}  // namespace millrace::kafka
