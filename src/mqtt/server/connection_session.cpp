// The beginning and the end of a connection: CONNECT and CONNACK (3.1, 3.2), take-over (3.1.4), wills (3.1.2.5),
// DISCONNECT (3.14).
#include <algorithm>

#include "base/log.h"
#include "mqtt/protocol/encoder.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PropertyId;
using protocol::ReasonCode;

std::unique_ptr<StoredWill> store(const protocol::Will& will, std::uint32_t now_s) {
  Message message;
  message.topic = will.topic;
  message.payload = will.payload;
  message.qos = will.qos;
  message.retain = will.retain;
  Buffer scratch;
  message.properties = forwardable(will.properties, scratch);
  if (will.properties.has(PropertyId::message_expiry_interval)) {
    message.expiry_s = will.properties.number(PropertyId::message_expiry_interval, 0);
  }
  auto stored = std::make_unique<StoredWill>();
  stored->message = std::make_shared<const SharedMessage>(message, now_s);
  stored->delay_s = will.properties.number(PropertyId::will_delay_interval, 0);
  return stored;
}

// 3.14.2.1: the reason codes a client may give.
bool is_allowed_from_client(ReasonCode reason) {
  switch (reason) {
    case ReasonCode::not_authorized:
    case ReasonCode::server_busy:
    case ReasonCode::server_shutting_down:
    case ReasonCode::bad_authentication_method:
    case ReasonCode::keep_alive_timeout:
    case ReasonCode::session_taken_over:
    case ReasonCode::topic_filter_invalid:
      return false;
    default:
      return static_cast<std::uint8_t>(reason) <= static_cast<std::uint8_t>(ReasonCode::payload_format_invalid);
  }
}

}  // namespace

void Connection::take_connect(const Frame& frame) {
  const auto decoded = protocol::decode_connect(frame);
  if (!decoded) {
    refuse_connect(decoded.error(), protocol::refusal_version(frame));
    return;
  }
  const protocol::Connect& packet = *decoded;
  const auto refuse = [&](ReasonCode reason, const char* why) { refuse_connect({reason, why}, packet.version); };
  version_ = packet.version;
  clean_start_ = packet.clean_start;
  if (rate_exceeded_) {
    return refuse(ReasonCode::connection_rate_exceeded,
                  "more connections from this address than mqtt.connect.rate.per.address; wait before the next try");
  }
  if (server_.stopping()) return refuse(ReasonCode::server_unavailable, "the server is shutting down");
  if (packet.properties.has(PropertyId::authentication_method) &&
      !knows_method(packet.properties.text(PropertyId::authentication_method))) {
    return refuse(ReasonCode::bad_authentication_method, "no such authentication method here [MQTT-4.12.0-1]");
  }
  if (server_.at_capacity()) return refuse(ReasonCode::quota_exceeded, "mqtt.max.connections are connected");
  std::string client_id(packet.client_id);
  if (client_id.empty()) {
    // [MQTT-3.1.3-6], [MQTT-3.1.3-8]; 3.1 has no assigned identifiers.
    if (version_ == protocol::Version::v3_1 || (version_ == protocol::Version::v3_1_1 && !clean_start_)) {
      return refuse(ReasonCode::client_identifier_not_valid, "empty client identifier (3.1.3.1)");
    }
    client_id = server_.assigned_client_id();
    client_id_assigned_ = true;
  }
  username_ = packet.username.value_or(std::string_view{});
  source_address_ = stream_->peer_address();
  source_address_.erase(std::min(source_address_.rfind(':'), source_address_.size()));
  std::erase_if(source_address_, [](char c) { return c == '[' || c == ']'; });  // of an IPv6 address
  asked_keep_alive_s_ = keep_alive_s_ = packet.keep_alive_s;
  if (v5()) {
    const Settings& settings = server_.settings();
    if (settings.max_keep_alive_s != 0) keep_alive_s_ = std::min(keep_alive_s_, settings.max_keep_alive_s);
    asked_expiry_s_ = packet.properties.number(PropertyId::session_expiry_interval, 0);
    client_receive_maximum_ = static_cast<std::uint16_t>(packet.properties.number(PropertyId::receive_maximum, 65'535));
    client_max_packet_size_ = packet.properties.number(PropertyId::maximum_packet_size, 0xFFFFFFFF);
    if (const auto most = static_cast<std::uint16_t>(packet.properties.number(PropertyId::topic_alias_maximum, 0));
        most != 0 && settings.outbound_topic_aliases != 0) {  // [MQTT-3.1.2-26, -27]
      aliases_out_ = std::make_unique<OutboundAliases>(std::min(most, settings.outbound_topic_aliases));
    }
    problem_information_ = packet.properties.number(PropertyId::request_problem_information, 1) != 0;
  } else {
    asked_expiry_s_ = clean_start_ ? 0 : kNeverExpires;
  }
  session_ = std::make_unique<Session>(std::move(client_id),
                                       std::min(asked_expiry_s_, server_.settings().max_session_expiry_s));
  if (packet.will) session_->will = store(*packet.will, server_.now_s());
  authenticate(packet);
}

void Connection::refuse_connect(const Refusal& refusal, std::optional<protocol::Version> version) {
  server_.metrics().count_refused(refusal.reason);
  answered_ = true;
  if (ListenerMetrics* through = server_.listener_metrics(listener_)) through->refused_connect.add();
  log::debug("mqtt_connect_refused",
             {{"peer", stream_->peer_address()}, {"reason", to_string(refusal.reason)}, {"why", refusal.why}});
  // What a 3.1.1 client sent malformed is closed without an answer; only return codes 1 to 5 exist ([MQTT-3.1.4-1]
  // there).
  const bool malformed = refusal.reason == ReasonCode::malformed_packet ||
                         refusal.reason == ReasonCode::protocol_error ||
                         refusal.reason == ReasonCode::topic_name_invalid;
  if (version && (*version == protocol::Version::v5 || !malformed)) {
    protocol::encode(stream_->output(), protocol::Connack{false, refusal.reason, {}}, *version);
    server_.count_packets_sent(1);
    stream_->mark_dirty();
  }
  start_closing();
}

void Connection::claim_session() {
  if (!admit_claim()) return;
  auto claim = server_.registry().claim(session_->client_id(), {id_, clean_start_});
  if (claim.granted && (!claim.stored || claim.stored->loop == server_.loop())) {
    std::unique_ptr<Session> stored;
    if (claim.stored) stored = server_.take_absent(session_->client_id(), claim.stored->serial);
    granted(stored);
    return;
  }
  state_ = State::claiming;
  pause(Pause::claiming);
  if (claim.granted) {
    server_.fetch_absent(session_->client_id(), *claim.stored, {id_, clean_start_});
    return;
  }
  if (claim.displaced) server_.with_connection(*claim.displaced, [](Connection& earlier) { earlier.displaced(); });
  server_.with_connection(*claim.owner, [clean = clean_start_](Connection& owner) { owner.give_up(clean); });
}

bool Connection::granted(std::unique_ptr<Session>& stored) {
  if (state_ != State::awaiting_connect && state_ != State::claiming) return false;
  owns_client_id_ = true;
  state_ = State::entering;
  // A new session that a power cut takes back had nothing in it; these it must not take back.
  const bool has_will = session_->will != nullptr;
  const bool outlives = session_->outlives_connection() && server_.durable();
  const auto end = [&](Session& session) {
    const bool last = session.logged() && !has_will && !outlives;  // no other record follows
    server_.end_session_state(session, last ? receipt(Kind::session, kEntry, false) : Receipt{});
    unsettled_ += last ? 1 : 0;
  };
  bool waits = has_will;
  if (stored && !clean_start_ && server_.has_lost_messages(*stored)) {  // its client is told by Session Present 0
    log::warn("mqtt_session_ended", {{"client_id", stored->client_id()}, {"reason", "older than the log"}});
    server_.metrics().dropped_quota.add();
    waits = true;
    end(*stored);
    stored.reset();
  }
  if (stored && clean_start_) {  // [MQTT-3.1.2-4]
    if (stored->will) server_.publish_will(*stored);
    waits = waits || stored->logged();
    end(*stored);
    stored.reset();
  } else if (stored) {  // [MQTT-3.1.2-5]; the delayed will of before is not sent [MQTT-3.1.3-9]
    waits = waits || stored->expiry_s() != session_->expiry_s();
    stored->will = std::move(session_->will);
    stored->set_expiry_s(session_->expiry_s());
    session_ = std::move(stored);
    session_present_ = true;
  }
  if (session_->serial == 0) session_->serial = server_.next_serial();
  if (outlives && !session_->logged()) session_->make_logged(kNoOffset);
  if (session_->logged()) {
    server_.attach(*session_);  // fed from now on, as one without a connection
    if (waits) {
      store_soon().tasks.emplace_back([this] { entry_recorded(ReceiptStatus::durable); });
    } else {
      store_later();
    }
  } else if (has_will) {
    waits = server_.record_will(*session_, receipt(Kind::session, kEntry, false));
    unsettled_ += waits ? 1 : 0;
  } else {
    waits = waits && unsettled_ != 0;
  }
  if (waits && server_.settings().bug != SeededBug::connack_before_recording) {
    pause(Pause::claiming);
  } else {
    enter();
  }
  return true;
}

void Connection::entry_recorded(ReceiptStatus status) {
  // Later: the receiver must not be called from within its own call.
  server_.with_connection(id_, [refused = status == ReceiptStatus::quota](Connection& connection) {
    refused ? connection.refuse_entry() : connection.enter();
  });
}

void Connection::refuse_entry() {
  if (state_ != State::entering) return;
  session_->will.reset();
  refuse_connect({ReasonCode::quota_exceeded, "the log has no room for the will or the session of this client"},
                 version_);
}

void Connection::enter() {
  if (state_ != State::entering) return;
  state_ = State::connected;
  entered_ = answered_ = true;
  session_->attach(this);
  session_->in_flight.rewind();
  session_->in_flight.set_limit(std::min<std::uint32_t>(client_receive_maximum_, server_.settings().max_inflight));
  active_s_ = server_.now_s();
  server_.metrics().connects.add();
  server_.count_connected(1, listener_);
  send_connack(session_present_);
  watch();
  server_.attach(*session_);
  report_shared_done();
  if (session_present_) pump();
  resume(Pause::claiming);
  version_number_ = server_.next_serial();
  tell(LifecycleEvent::connected);
}

void Connection::send_connack(bool session_present) {
  const Settings& settings = server_.settings();
  protocol::Connack packet{session_present, ReasonCode::success, {}};
  Buffer block;
  if (v5()) {
    protocol::PropertyWriter writer(block);
    if (session_->expiry_s() != asked_expiry_s_) writer.add(PropertyId::session_expiry_interval, session_->expiry_s());
    receive_maximum_ = server_.receive_maximum();
    if (receive_maximum_ != 65'535) writer.add(PropertyId::receive_maximum, receive_maximum_);
    writer.add(PropertyId::maximum_packet_size, static_cast<std::uint32_t>(settings.max_packet_size));
    if (client_id_assigned_) writer.add(PropertyId::assigned_client_identifier, session_->client_id());
    if (settings.topic_alias_maximum != 0) writer.add(PropertyId::topic_alias_maximum, settings.topic_alias_maximum);
    if (enhanced_) {  // [MQTT-4.12.0-5]
      writer.add(PropertyId::authentication_method, std::string_view(enhanced_->method));
      writer.add(PropertyId::authentication_data, std::string_view(enhanced_->server_final));
    }
    if (keep_alive_s_ != asked_keep_alive_s_) writer.add(PropertyId::server_keep_alive, keep_alive_s_);
    packet.properties = *protocol::validate_properties(block.view(), protocol::PacketType::connack);
  }
  protocol::encode(stream_->output(), packet, version_);
  server_.count_packets_sent(1);
  stream_->mark_dirty();
}

void Connection::give_up(bool clean_start) {
  if (!owns_client_id_ || session_ended_) return;  // on its way already: release_session() finds the claimant
  replaced_ = true;
  replaced_by_clean_start_ = clean_start;
  server_.metrics().takeovers.add();
  if (state_ == State::connected || state_ == State::entering) {
    close({ReasonCode::session_taken_over, "the client connected again [MQTT-3.1.4-3]"});
  }
}

void Connection::displaced() {
  if (state_ == State::claiming) close({ReasonCode::session_taken_over, "the client connected again [MQTT-3.1.4-3]"});
}

void Connection::take_disconnect(const Frame& frame) {
  const auto packet = protocol::decode_disconnect(frame, version_);
  if (!packet) return close(packet.error());
  if (!is_allowed_from_client(packet->reason)) {
    return close({ReasonCode::protocol_error, "a reason code only servers send (3.14.2.1)"});
  }
  if (packet->properties.has(PropertyId::session_expiry_interval)) {
    const std::uint32_t expiry_s = packet->properties.number(PropertyId::session_expiry_interval, 0);
    if (asked_expiry_s_ == 0 && expiry_s != 0) {
      return close({ReasonCode::protocol_error, "session expiry raised from 0 at DISCONNECT (3.14.2.2.2)"});
    }
    session_->set_expiry_s(std::min(expiry_s, server_.settings().max_session_expiry_s));
  }
  cause_.client_initiated = true;
  if (packet->reason == ReasonCode::success) server_.drop_will(*session_);  // [MQTT-3.14.4-3]
  start_closing();
}

void Connection::end_session() {
  if (session_ended_ || !session_) {
    session_ended_ = true;
    return;
  }
  session_ended_ = true;
  if (!owns_client_id_) {
    // Still waiting for it. If it was given to us this very moment, the bringer sees that we are closing and passes it
    // on.
    server_.registry().withdraw(session_->client_id(), id_);
    session_.reset();
    return;
  }
  if (entered_) {
    server_.count_connected(-1, listener_);
    tell(LifecycleEvent::disconnected);
  }
  const bool session_ends = !session_->outlives_connection() || replaced_by_clean_start_;
  server_.leave_shares(*session_, id_, session_ends);
  if (!replaced_ || replaced_by_clean_start_) give_back_shared(session_ends);
  if (!session_->logged()) server_.detach(*session_);  // a persistent one goes on being fed
  session_->attach(nullptr);
  if (session_->will) {
    // A will with a delay waits as long as its session goes on [MQTT-3.1.2-8, 3.1.3-9]; those of a stop wait for the
    // next start, if something remembers them (3.1.2.5).
    const bool session_goes_on = session_->outlives_connection() && !replaced_by_clean_start_;
    const bool waits = (session_goes_on && session_->will->delay_s != 0) || server_.stopping();
    if (!waits) server_.publish_will(*session_);
    if (!waits || replaced_) session_->will.reset();
  }
  if (session_->logged() && session_->outlives_connection() && !replaced_) store_soon();  // since when it waits
  if ((session_->outlives_connection() || session_->logged()) && !settled()) return;  // the last receipt releases it
  release_session();
}

void Connection::release_session() {
  // Without a log, sessions are kept for what must not happen twice and for a will that waits.
  const bool keep = session_->outlives_connection() &&
                    (session_->logged() || replaced_ || !session_->received.empty() || session_->will);
  Settled watch = server_.take_watch(id_);
  if (!keep && (asked_expiry_s_ != 0 || session_->logged())) {
    server_.end_session_state(*session_, std::exchange(watch, {}));
  }
  if (watch) watch(ReceiptStatus::durable);
  owns_client_id_ = false;
  std::string client_id = session_->client_id();
  server_.release_identifier(std::move(client_id), keep ? std::move(session_) : nullptr);
  session_.reset();
}

}  // namespace millrace::mqtt
