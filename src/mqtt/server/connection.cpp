#include "mqtt/server/connection.h"

#include <algorithm>

#include "base/log.h"
#include "mqtt/protocol/encoder.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

// A packet larger than a read is gathered by the stream in memory that grows with what has arrived.
constexpr std::size_t kLargePacket = 256_KiB;

}  // namespace

Connection::Connection(ConnectionId id, LoopServer& server, std::unique_ptr<net::Stream> stream, std::size_t listener)
    : id_(id),
      server_(server),
      stream_(std::move(stream)),
      active_s_(server.now_s()),
      listener_(static_cast<std::uint8_t>(listener)) {}

Connection::~Connection() {
  release_held();
}

void Connection::start() {
  const std::size_t high = server_.settings().max_output_bytes;
  stream_->set_marks(high / 2, high);
  watch();
  stream_->start(*this);
}

std::size_t Connection::on_bytes(ByteView bytes) {
  const Settings& settings = server_.settings();
  server_.begin_read();
  if (state_ == State::connected) active_s_ = server_.now_s();
  if (admitted_ == Admitted::no && !admit_address()) return 0;
  if (looking_ahead_) {
    answer_pings(bytes);
    return 0;
  }
  std::size_t taken = 0;
  while (paused_ == 0 && state_ != State::closing) {
    // Nobody who has not said who he is may make us gather much.
    const std::size_t limit = state_ == State::connected ? settings.max_packet_size : settings.max_connect_size;
    const auto frame = protocol::next_frame(bytes.subspan(taken), limit);
    if (!frame) {
      close(frame.error());
      break;
    }
    if (!frame->complete()) {
      if (frame->claimed > kLargePacket) stream_->expect(frame->claimed);
      break;
    }
    taken += frame->size;
    server_.count_packet_received();
    if (server_.tracing()) [[unlikely]] {
      trace_in(*frame);
    }
    if (frame->type == protocol::PacketType::publish && state_ == State::connected) [[likely]] {
      take_publish(*frame);
      if (server_.reads_no_publisher()) [[unlikely]] {
        pause_for_budget();
      }
    } else {
      hand_over_batch();  // what follows a PUBLISH may depend on it
      take(*frame);
    }
  }
  hand_over_batch();
  server_.count_received_bytes(listener_, taken);
  looked_ahead_ -= std::min(looked_ahead_, taken);
  if (state_ == State::closing) return bytes.size();
  if (congested()) pause(Pause::output);
  if (server_.crossing_is_full() && taken != 0) {
    pause(Pause::crossing);
    server_.wait_for_crossing(id_);
  }
  return taken;
}

void Connection::hand_over_batch() {
  if (server_.batch().empty()) return;
  if (server_.hand_over() == Pressure::pause) {
    pause(Pause::pressure);
    server_.wait_for_relief(id_);
  }
}

void Connection::take(const Frame& frame) {
  using enum protocol::PacketType;
  if (state_ == State::awaiting_connect) {
    if (enhanced_ && frame.type == auth) {
      take_auth(frame);
    } else if (enhanced_ && frame.type != disconnect) {
      close({protocol::ReasonCode::protocol_error, "another packet than AUTH before CONNACK [MQTT-3.1.2-30]"});
    } else if (frame.type == connect) {
      take_connect(frame);
    } else {
      close({protocol::ReasonCode::protocol_error, "first packet is not CONNECT [MQTT-3.1.0-1]"});
    }
    return;
  }
  switch (frame.type) {
    case puback:
    case pubrec:
    case pubrel:
    case pubcomp:
      take_acknowledgement(frame);
      return;
    case subscribe:
      take_subscribe(frame);
      return;
    case unsubscribe:
      take_unsubscribe(frame);
      return;
    case pingreq:
      if (!frame.body.empty()) {
        close({protocol::ReasonCode::malformed_packet, "packet must be empty"});
        return;
      }
      if (pings_answered_ != 0) {
        --pings_answered_;
        return;
      }
      protocol::encode_pingresp(stream_->output());  // [MQTT-3.12.4-1]
      server_.count_packets_sent(1);
      stream_->mark_dirty();
      return;
    case disconnect:
      take_disconnect(frame);
      return;
    case connect:
      close({protocol::ReasonCode::protocol_error, "second CONNECT [MQTT-3.1.0-2]"});
      return;
    case auth:
      take_auth(frame);
      return;
    default:
      close({protocol::ReasonCode::protocol_error, "a packet only servers send (2.1.2)"});
  }
}

void Connection::pause(Pause reason) {
  const auto bit = static_cast<std::uint16_t>(reason);
  if ((paused_ & bit) != 0) return;
  stop_looking_ahead();
  if (paused_ == 0 && stream_) {
    stream_->pause_reading();
    if (reason != Pause::claiming && reason != Pause::held_back) server_.metrics().pauses.add();
  }
  paused_ |= bit;
}

void Connection::resume(Pause reason) {
  const auto bit = static_cast<std::uint16_t>(reason);
  if ((paused_ & bit) == 0) return;
  paused_ &= static_cast<std::uint16_t>(~bit);
  if (paused_ != 0 || !stream_) return;
  stop_looking_ahead();
  active_s_ = server_.now_s();  // silence while nobody listened is not the client's
  stream_->resume_reading();
}

std::uint32_t Connection::deadline_s() const {
  if (held_until_s_ != 0) return held_until_s_;
  if (doomed_s_ != 0) return doomed_s_;
  switch (state_) {
    case State::awaiting_connect:
      return active_s_ + static_cast<std::uint32_t>(server_.settings().connect_timeout.count()) + 1;
    case State::connected: {
      if (keep_alive_s_ == 0) return 0;
      // One and a half times the keep alive [MQTT-3.1.2-22]; one second more because active_s_ is rounded down.
      const std::uint32_t from = paused_ != 0 ? server_.now_s() : active_s_;
      return from + (3U * keep_alive_s_ + 1) / 2 + 1;
    }
    default:
      return 0;
  }
}

void Connection::watch() {
  const std::uint32_t deadline = deadline_s();
  if (deadline == 0 || (watched_s_ != 0 && watched_s_ <= deadline)) return;
  watched_s_ = deadline;
  server_.watch(id_, deadline);
}

void Connection::check_deadline(std::uint32_t at_s) {
  if (at_s != watched_s_) return;  // an earlier second has taken the place of this one
  watched_s_ = 0;
  const std::uint32_t deadline = deadline_s();
  if (deadline == 0) return;
  if (deadline > server_.now_s()) {
    watch();
    return;
  }
  if (held_until_s_ != 0) {
    held_back_enough();
  } else if (doomed_s_ != 0) {
    close({protocol::ReasonCode::quota_exceeded, "refused for want of room, and no packet can say so"});
  } else if (state_ == State::connected) {
    close({protocol::ReasonCode::keep_alive_timeout, "nothing received in time [MQTT-3.1.2-22]"});
  } else {
    close({protocol::ReasonCode::maximum_connect_time, "no CONNECT in time (3.1.4)"});
  }
}

void Connection::close(const Refusal& refusal) {
  if (state_ == State::closing) return;
  server_.metrics().count_closed(refusal.reason);
  cause_.reason = refusal.reason;
  log::debug("mqtt_connection_closed", {{"client_id", session_ ? std::string_view(session_->client_id()) : ""},
                                        {"peer", stream_->peer_address()},
                                        {"reason", to_string(refusal.reason)},
                                        {"why", refusal.why}});
  if (state_ == State::connected && v5()) {
    protocol::Disconnect packet{refusal.reason, {}};
    Buffer block;
    if (problem_information_) {
      protocol::PropertyWriter(block).add(protocol::PropertyId::reason_string, std::string_view(refusal.why));
      // The Reason String is left out when it would not fit the client's Maximum Packet Size [MQTT-3.14.2-3].
      if (block.size() + 8 <= client_max_packet_size_) {
        packet.properties = *protocol::validate_properties(block.view(), protocol::PacketType::disconnect);
      }
    }
    protocol::encode(stream_->output(), packet, version_);
    server_.count_packets_sent(1);
    stream_->mark_dirty();
  }
  start_closing();
}

void Connection::start_closing() {
  state_ = State::closing;
  stream_->close();
  server_.end_later(id_);
}

void Connection::say_goodbye() {
  close({protocol::ReasonCode::server_shutting_down, "the server is shutting down"});
}

void Connection::abort() {
  state_ = State::closing;
  if (stream_) stream_->abort();
}

void Connection::on_closed(const Error& reason) {
  (void)reason;
  state_ = State::closing;
  if (ListenerMetrics* through = server_.listener_metrics(listener_); through != nullptr && !answered_) {
    through->refused_before.add();
  }
  release_held();
  stream_.reset();
  end_session();
  if (!session_) server_.erase(id_);  // destroys this
}

void Connection::finish_session() {
  if (!session_ended_ || !owns_client_id_ || !settled()) return;
  release_session();
  if (!stream_) server_.erase(id_);  // destroys this
}

}  // namespace millrace::mqtt
