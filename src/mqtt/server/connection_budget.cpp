// What a connection costs: when it is let in (decision 0029), what it may hold (0028), and the PINGREQs of a client
// that is not read.
#include <algorithm>

#include "mqtt/protocol/encoder.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::ReasonCode;

// What may be kept of a client that is not read, in search of its PINGREQs.
constexpr std::size_t kLookAhead = 64_KiB;
// Nobody connects by the thousand from one of these: the rest of an IPv6 address is the client's own to choose.
constexpr std::size_t kIpv6Groups = 4;

std::string_view network_of(std::string_view address) {
  std::string_view host = address.substr(0, address.rfind(':'));
  if (!host.starts_with('[')) return host;
  host.remove_prefix(1);
  std::size_t end = 0;
  for (std::size_t group = 0; group < kIpv6Groups && end != std::string_view::npos; ++group) {
    end = host.find(':', end == 0 ? 0 : end + 1);
    if (end != std::string_view::npos && host.substr(end).starts_with("::")) break;
  }
  return host.substr(0, end);
}

}  // namespace

// -- being let in

bool Connection::admit_address() {
  admitted_ = Admitted::address;
  ConnectRate& rate = server_.rates().address;
  if (!rate.limited()) return true;
  const std::string address = stream_->peer_address();
  const auto wait = rate.reserve(network_of(address), server_.mono());
  if (!wait) rate_exceeded_ = true;  // take_connect() says so, when it knows to whom
  return !wait || !hold_back(*wait);
}

bool Connection::admit_claim() {
  if (admitted_ == Admitted::session) return true;
  admitted_ = Admitted::session;
  ConnectRates& rates = server_.rates();
  const std::string& client_id = session_->client_id();
  auto wait = rates.identity.reserve(identity(), server_.mono());
  if (wait && rates.takeover.limited() && server_.registry().connection(client_id)) {
    const auto turn = rates.takeover.reserve(client_id, server_.mono());
    wait = turn ? std::optional(std::max(*wait, *turn)) : std::nullopt;
  }
  if (!wait) {
    refuse_connect({ReasonCode::connection_rate_exceeded, "this client connects too often; wait before the next try"},
                   version_);
    return false;
  }
  return !hold_back(*wait);
}

bool Connection::hold_back(std::chrono::milliseconds wait) {
  if (wait.count() == 0) return false;
  server_.metrics().connects_held.add();
  held_until_s_ = server_.now_s() + static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
  pause(Pause::held_back);
  watch();
  return true;
}

void Connection::held_back_enough() {
  held_until_s_ = 0;
  active_s_ = server_.now_s();
  if (admitted_ == Admitted::session && state_ == State::awaiting_connect) claim_session();
  resume(Pause::held_back);
  watch();
}

std::string_view Connection::identity() const {
  return username_.empty() || !logged_in_ ? std::string_view(session_->client_id()) : std::string_view(username_);
}

// -- what it holds

void Connection::on_held(std::ptrdiff_t change) {
  count_held(change);
}

void Connection::count_held(std::ptrdiff_t change) {
  if (change == 0) return;
  held_ += change;
  server_.hold(change);
  if (identity_hold_) {
    identity_hold_->bytes.fetch_add(change, std::memory_order_relaxed);
  } else if (state_ == State::connected) {
    identity_hold_ = server_.identity_hold(identity());
    identity_hold_->bytes.fetch_add(held_, std::memory_order_relaxed);
  }
  if (change <= 0) return;
  if (server_.is_beyond_budget()) server_.close_for_budget_soon(id_);
  if (server_.load() == Load::full || over_identity_budget()) pause_for_budget();
}

void Connection::weigh_queue() {
  const std::size_t now = session_ && stream_ ? session_->queued_bytes / net::kHeldStep * net::kHeldStep : 0;
  const std::size_t before = std::exchange(queue_held_, now);
  count_held(static_cast<std::ptrdiff_t>(now) - static_cast<std::ptrdiff_t>(before));
}

void Connection::release_held() {
  if (server_.settings().bug == SeededBug::keep_held_bytes) return;
  count_held(-held_);
  queue_held_ = 0;
  identity_hold_.reset();
}

bool Connection::over_identity_budget() const {
  return identity_hold_ && identity_hold_->bytes.load(std::memory_order_relaxed) >
                               static_cast<std::ptrdiff_t>(server_.settings().max_identity_bytes);
}

void Connection::pause_for_budget() {
  if ((paused_ & static_cast<std::uint16_t>(Pause::budget)) != 0 || state_ == State::closing) return;
  budget_since_s_ = server_.now_s();
  pause(Pause::budget);
  server_.wait_for_budget(id_);
}

bool Connection::held_too_much_since(std::uint32_t at_s) const {
  return held_ > 0 && state_ != State::closing && over_identity_budget() && budget_since_s_ <= at_s;
}

void Connection::close_for_budget(const char* why) {
  close({ReasonCode::quota_exceeded, why});
}

// Less for those who hold things already, the less room there is.
std::size_t Connection::queue_limit() const {
  const std::size_t most = server_.settings().max_queued_bytes;
  if (server_.load() == Load::full || over_identity_budget()) return most / 16;
  return server_.load() == Load::tight ? most / 4 : most;
}

bool Connection::slow_for_qos0() const {
  const std::size_t most = server_.settings().max_output_bytes;
  const std::size_t pending = stream_->pending_bytes();
  if (pending <= most / 16) return false;
  if (server_.load() == Load::full || over_identity_budget()) return true;
  return pending > (server_.load() == Load::tight ? most / 4 : most);
}

// -- PINGREQ

// A client may be silent for want of an answer to its PINGREQ only because its messages cannot be taken now. So what it
// sends is read on a little way, and PINGREQs in it are answered; nothing else is done with it until its turn comes.
void Connection::look_ahead() {
  constexpr auto kSoft = static_cast<std::uint16_t>(Pause::pressure) | static_cast<std::uint16_t>(Pause::crossing) |
                         static_cast<std::uint16_t>(Pause::budget);
  const bool only_soft = paused_ != 0 && (paused_ & ~static_cast<unsigned>(kSoft)) == 0;
  if (server_.settings().bug == SeededBug::leave_pings_of_paused) return;
  if (!only_soft || looking_ahead_ || state_ != State::connected || server_.load() == Load::full ||
      looked_ahead_ > kLookAhead) {
    return;
  }
  looking_ahead_ = true;
  stream_->resume_reading();
}

void Connection::answer_pings(ByteView bytes) {
  const std::size_t limit = server_.settings().max_packet_size;
  bool goes_on = bytes.size() <= kLookAhead;
  while (looked_ahead_ < bytes.size()) {
    const auto frame = protocol::next_frame(bytes.subspan(looked_ahead_), limit);
    if (!frame || !frame->complete()) {  // what is wrong with it is found when its turn comes
      goes_on = goes_on && frame && frame->claimed <= kLookAhead;
      break;
    }
    if (frame->type == PacketType::pingreq && frame->body.empty()) {
      protocol::encode_pingresp(stream_->output());
      stream_->mark_dirty();
      ++pings_answered_;
    }
    looked_ahead_ += frame->size;
  }
  if (!goes_on) stop_looking_ahead();
}

void Connection::stop_looking_ahead() {
  if (!std::exchange(looking_ahead_, false) || !stream_) return;
  stream_->pause_reading();
}

}  // namespace millrace::mqtt
