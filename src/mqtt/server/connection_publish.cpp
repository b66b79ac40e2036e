// Messages from the client: PUBLISH with QoS 0, 1 and 2 (3.3, 4.3), topic aliases (3.3.2.3.4), flow control (4.9), and
// the acknowledgements that go back when a message is settled.
//
// A receipt's token:  bit 18 a subscriber matched | bits 16-17 what to send | bits 0-15 packet identifier
#include "mqtt/protocol/encoder.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::PropertyId;
using protocol::ReasonCode;

constexpr std::uint64_t kMatched = 1U << 18U;
// How long a client keeps its connection that cannot be told that its message (3.1.1) or its PUBREL was refused. It
// will send again after reconnecting.
constexpr std::uint32_t kRefusedSeconds = 10;

}  // namespace

Receipt Connection::receipt(Kind kind, std::uint16_t packet_id, bool matched) const {
  return {id_.value(), packet_id | static_cast<std::uint64_t>(kind) << 16U | (matched ? kMatched : 0)};
}

void Connection::take_publish(const Frame& frame) {
  auto decoded = protocol::decode_publish(frame, version_);
  if (!decoded) [[unlikely]] {
    return close(decoded.error());
  }
  protocol::Publish& packet = *decoded;
  if (!packet.properties.empty()) {
    if (packet.properties.has(PropertyId::subscription_identifier)) {
      return close({ReasonCode::protocol_error, "subscription identifier from a client [MQTT-3.3.4-6]"});
    }
    if (packet.properties.has(PropertyId::topic_alias) && !resolve_alias(packet)) return;
  }
  if (packet.qos == 2 && is_repetition(packet.packet_id)) return;
  server_.count_received(listener_, packet.qos, packet.payload.size());
  if (packet.qos != 0) {
    if (++quota_used_ > receive_maximum_ && v5()) {
      return close({ReasonCode::receive_maximum_exceeded, "more messages in flight than allowed (3.3.4)"});
    }
    ++unsettled_;
  }

  bool ingest_only = false;  // to one rule and to nobody else
  if (packet.topic.starts_with('$')) [[unlikely]] {
    if (packet.topic.starts_with("$SYS") || packet.topic.starts_with(kEventTopics)) {
      return close({ReasonCode::not_authorized, "topics of the server's own (4.7.2)"});
    }
    ingest_only = packet.topic.starts_with(kBasicIngestTopics);
  }
  if (is_too_long(packet.topic)) [[unlikely]] {
    return refuse_topic(packet);
  }
  if (access_ && !access_->may_publish(packet.topic)) return refuse_unauthorized(packet);
  bool matched = false;
  Message message;
  const bool logged = packet.qos != 0 && !ingest_only && server_.is_logged(packet.topic);
  if (server_.responses().anyone()) [[unlikely]] {
    server_.responses().hear(packet.topic, packet.properties.text(PropertyId::correlation_data),
                             as_text(packet.payload), packet.properties.text(PropertyId::content_type));
  }
  if (!ingest_only && (packet.retain || logged || server_.anyone_subscribed())) {
    message = {packet.topic, packet.payload, {}, {}, id_, packet.qos, packet.retain};
    if (!packet.properties.empty()) {
      message.properties = forwardable(packet.properties, server_.property_scratch());
      if (packet.properties.has(PropertyId::message_expiry_interval)) {
        message.expiry_s = packet.properties.number(PropertyId::message_expiry_interval, 0);
      }
    }
    if (packet.retain && !server_.retain(message, identity())) return refuse_publish(packet);
    matched = server_.route(message) || logged;
  }

  DeviceMessage& handed = server_.batch().add();
  handed.topic = packet.topic;
  handed.payload = packet.payload;
  handed.client_id = session_->client_id();
  handed.username = username_;
  handed.source_address = source_address_;
  handed.received_at = server_.read_time();
  handed.qos = packet.qos;
  handed.retain = packet.retain;
  handed.duplicate = packet.duplicate;
  if (packet.qos == 1) {
    handed.receipt = receipt(Kind::puback, packet.packet_id, matched);
  } else if (packet.qos == 2) {
    handed.receipt = receipt(Kind::pubrec, packet.packet_id, matched);
    if (asked_expiry_s_ != 0) server_.batch().set_delivery_id(session_->client_id(), packet.packet_id);
  }
  if (!packet.properties.empty()) server_.batch().set_properties(packet.properties);
  if (packet.retain && !ingest_only) server_.record_retained(message, identity());
  if (logged) server_.record_message(message, session_->client_id());
  if (server_.batch().full()) hand_over_batch();
}

void Connection::refuse_publish(const protocol::Publish& packet) {
  if (packet.qos == 0) {
    server_.metrics().dropped_quota.add();
    return;
  }
  hand_over_batch();  // acknowledgements leave in the order of their messages
  --unsettled_;
  settle_one(packet.qos == 1 ? Kind::puback : Kind::pubrec, packet.packet_id, false, ReceiptStatus::quota,
             &stream_->output());
  stream_->mark_dirty();
}

bool Connection::is_too_long(std::string_view topic) const {
  const Settings& settings = server_.settings();
  if (topic.size() > settings.max_topic_bytes) return true;
  if (topic.size() < settings.max_topic_levels) return false;  // each level but the first costs a byte
  return SubscriptionTree::levels(topic) > settings.max_topic_levels;
}

// As one that is not allowed: told to 5.0 clients, the end of a 3.1.1 client's connection, dropped with QoS 0.
void Connection::refuse_topic(const protocol::Publish& packet) {
  server_.metrics().dropped_topic.add();
  refuse_with(packet, ReasonCode::topic_name_invalid, "the topic has more levels or bytes than are allowed here");
}

bool Connection::resolve_alias(protocol::Publish& packet) {
  const std::uint32_t alias = packet.properties.number(PropertyId::topic_alias, 0);
  const std::uint16_t maximum = server_.settings().topic_alias_maximum;
  if (alias > maximum) {
    close({ReasonCode::topic_alias_invalid, "topic alias above the maximum [MQTT-3.3.2-9]"});
    return false;
  }
  if (!aliases_) aliases_ = std::make_unique<std::vector<std::string>>(maximum);
  std::string& topic = (*aliases_)[alias - 1];
  if (!packet.topic.empty()) {
    if (topic != packet.topic) {
      hand_over_batch();  // messages in it may view the topic that is replaced
      topic = packet.topic;
    }
    return true;
  }
  if (topic.empty()) {
    close({ReasonCode::protocol_error, "topic alias that was never given a topic (3.3.2.3.4)"});
    return false;
  }
  packet.topic = topic;
  return true;
}

bool Connection::is_repetition(std::uint16_t packet_id) {
  switch (session_->received.get(packet_id)) {
    case DeliveryState::absent:
      session_->received.set(packet_id, DeliveryState::pending);
      return false;
    case DeliveryState::pending:
      break;  // PUBREC goes out when the first one is durable
    case DeliveryState::recorded:
      send_ack(PacketType::pubrec, packet_id, ReasonCode::success);
      break;
    case DeliveryState::releasing:
      send_ack(PacketType::pubrec, packet_id, ReasonCode::packet_identifier_in_use);
      break;
  }
  server_.metrics().repeated.add();
  return true;
}

void Connection::take_acknowledgement(const Frame& frame) {
  const auto packet = protocol::decode_publish_ack(frame, version_);
  if (!packet) return close(packet.error());
  switch (packet->type) {
    case PacketType::puback:
      // One that answers nothing changes nothing (4.9).
      return flow_ended(session_->in_flight.acknowledge(packet->packet_id));
    case PacketType::pubrel:
      return take_pubrel(*packet);
    case PacketType::pubrec:
      if (is_failure(packet->reason)) {  // the flow ends here (4.3.3)
        return flow_ended(session_->in_flight.complete(packet->packet_id, true));
      }
      switch (session_->in_flight.receive(
          packet->packet_id, session_->logged() && server_.settings().bug != SeededBug::release_before_recording)) {
        case FlightState::released:
          return send_ack(PacketType::pubrel, packet->packet_id, ReasonCode::success);  // [MQTT-4.3.3-4]
        case FlightState::releasing:  // PUBREL leaves when that is durable
          return store_soon().packet_ids.push_back(packet->packet_id);
        default:
          return send_ack(PacketType::pubrel, packet->packet_id,
                          ReasonCode::packet_identifier_not_found);  // 3.6.2.1
      }
    default:
      return flow_ended(session_->in_flight.complete(packet->packet_id, false));
  }
}

void Connection::flow_ended(const InflightWindow::Ended& ended) {
  if (!ended.known) return;
  if (ended.message && ended.message->is_reported()) report_settled(*ended.message);
  if (session_->logged()) store_later();
  pump();
}

void Connection::take_pubrel(const protocol::PublishAck& packet) {
  switch (session_->received.get(packet.packet_id)) {
    case DeliveryState::absent:
      send_ack(PacketType::pubcomp, packet.packet_id, ReasonCode::packet_identifier_not_found);  // 3.7.2.1
      return;
    case DeliveryState::pending:
      return close({ReasonCode::protocol_error, "PUBREL before PUBREC [MQTT-4.3.3-4]"});
    case DeliveryState::releasing:
      return;
    case DeliveryState::recorded:
      break;
  }
  if (asked_expiry_s_ == 0) {
    session_->received.erase(packet.packet_id);
    if (server_.settings().bug != SeededBug::keep_quota_of_qos_2) restore_quota();
    send_ack(PacketType::pubcomp, packet.packet_id, ReasonCode::success);
    return;
  }
  session_->received.set(packet.packet_id, DeliveryState::releasing);
  ++unsettled_;
  std::string delivery_id;
  append_delivery_id(delivery_id, session_->client_id(), packet.packet_id);
  server_.receiver().release(delivery_id, receipt(Kind::pubcomp, packet.packet_id, false), server_);
}

void Connection::send_ack(PacketType type, std::uint16_t packet_id, ReasonCode reason) {
  protocol::encode(stream_->output(), protocol::PublishAck{type, packet_id, reason, {}}, version_);
  server_.count_packets_sent(1);
  stream_->mark_dirty();
}

void Connection::settle(std::span<const Receipt> receipts, ReceiptStatus status) {
  unsettled_ -= static_cast<std::uint32_t>(receipts.size());
  // Whoever is closing or gone gets no acknowledgement; what his session must remember is noted all the same.
  Buffer* out = state_ == State::connected ? &stream_->output() : nullptr;
  for (const Receipt& settled : receipts) {
    settle_one(static_cast<Kind>(settled.token >> 16U & 3U), static_cast<std::uint16_t>(settled.token),
               (settled.token & kMatched) != 0, status, out);
  }
  if (out != nullptr) {
    server_.count_packets_sent(receipts.size());
    stream_->mark_dirty();
  } else if (session_ended_ && owns_client_id_ && unsettled_ == 0) {
    // Later: the receiver must not be called from within its own call.
    server_.with_connection(id_, [](Connection& connection) { connection.finish_session(); });
  }
}

void Connection::settle_one(Kind kind, std::uint16_t packet_id, bool matched, ReceiptStatus status, Buffer* out) {
  const bool refused = status == ReceiptStatus::quota;
  if (refused) server_.metrics().refused_quota.add();
  PacketType answer = PacketType::puback;
  if (kind == Kind::session) return packet_id == kEntry ? entry_recorded(status) : session_stored(status);
  if (kind == Kind::puback) {
    restore_quota();
  } else if (kind == Kind::pubrec) {
    answer = PacketType::pubrec;
    if (refused) {
      session_->received.erase(packet_id);
      restore_quota();
    } else {
      session_->received.set(packet_id, DeliveryState::recorded);
    }
  } else {
    answer = PacketType::pubcomp;
    if (refused) {
      session_->received.set(packet_id, DeliveryState::recorded);
    } else {
      session_->received.erase(packet_id);
      if (server_.settings().bug != SeededBug::keep_quota_of_qos_2) restore_quota();
    }
  }
  if (out == nullptr) return;
  if (!refused) [[likely]] {
    if (!v5() || status != ReceiptStatus::no_match || matched || kind == Kind::pubcomp) [[likely]] {
      protocol::encode_short_ack(*out, answer, packet_id);
    } else {
      protocol::encode(*out, protocol::PublishAck{answer, packet_id, ReasonCode::no_matching_subscribers, {}},
                       version_);
    }
  } else if (v5() && kind != Kind::pubcomp) {
    protocol::encode(*out, protocol::PublishAck{answer, packet_id, ReasonCode::quota_exceeded, {}}, version_);
  } else if (doomed_s_ == 0) {  // nothing to say: reading stops, then the connection ends
    pause(Pause::refused);
    doomed_s_ = server_.now_s() + kRefusedSeconds;
    watch();
  }
}

}  // namespace millrace::mqtt
