#include "mqtt/protocol/decoder.h"

#include "base/endian.h"
#include "mqtt/protocol/field_reader.h"

namespace millrace::mqtt::protocol {
namespace {

constexpr auto kMalformed = ReasonCode::malformed_packet;
constexpr auto kProtocolError = ReasonCode::protocol_error;

// The property block of a 5.0 packet; empty for older versions, which have none.
Decoded<Properties> read_properties(FieldReader& in, PacketType place, Version version) {
  if (version != Version::v5) return Properties{};
  const std::uint32_t size = in.varint();
  const ByteView block = in.bytes(size);
  if (!in.ok()) return std::unexpected(in.refusal());
  if (block.empty()) return Properties{};
  return validate_properties(block, place);
}

Decoded<void> expect_end(const FieldReader& in) {
  if (!in.ok()) return std::unexpected(in.refusal());
  if (in.remaining() != 0) return refuse(kMalformed, "bytes behind the last field of the packet");
  return {};
}

Decoded<std::uint16_t> read_packet_id(FieldReader& in) {
  const std::uint16_t id = in.u16();
  if (!in.ok()) return std::unexpected(in.refusal());
  if (id == 0) return refuse(kProtocolError, "packet identifier 0 [MQTT-2.2.1-3]");
  return id;
}

Decoded<void> check_empty(const Frame& frame) {
  if (!frame.body.empty()) return refuse(kMalformed, "packet must be empty");
  return {};
}

// Reason code and properties at the end of DISCONNECT, AUTH and the PUBLISH acknowledgements: both may be left out
// (3.4.2.1).
struct Ending {
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};
Decoded<Ending> read_ending(FieldReader& in, PacketType type) {
  Ending ending;
  if (in.remaining() == 0) return ending;
  ending.reason = static_cast<ReasonCode>(in.u8());
  if (!is_allowed(ending.reason, type)) return refuse(kProtocolError, "reason code not allowed in this packet (2.4)");
  if (in.remaining() == 0) return ending;
  auto properties = read_properties(in, type, Version::v5);
  if (!properties) return std::unexpected(properties.error());
  ending.properties = *properties;
  if (auto end = expect_end(in); !end) return std::unexpected(end.error());
  return ending;
}

}  // namespace

Decoded<Connack> decode_connack(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Connack packet;
  const std::uint8_t flags = in.u8();
  const std::uint8_t code = in.u8();
  if (!in.ok()) return std::unexpected(in.refusal());
  if ((flags & 0xFEU) != 0) return refuse(kMalformed, "reserved CONNACK flags [MQTT-3.2.2-1]");
  packet.session_present = (flags & 1U) != 0;
  if (version == Version::v5) {
    packet.reason = static_cast<ReasonCode>(code);
    if (!is_allowed(packet.reason, PacketType::connack))
      return refuse(kProtocolError, "not a CONNACK reason code (2.4)");
  } else {
    constexpr ReasonCode kReturnCodes[] = {ReasonCode::success,
                                           ReasonCode::unsupported_protocol_version,
                                           ReasonCode::client_identifier_not_valid,
                                           ReasonCode::server_unavailable,
                                           ReasonCode::bad_user_name_or_password,
                                           ReasonCode::not_authorized};
    if (code > 5) return refuse(kProtocolError, "not a CONNACK return code (3.1.1: 3.2.2.3)");
    packet.reason = kReturnCodes[code];
  }
  auto properties = read_properties(in, PacketType::connack, version);
  if (!properties) return std::unexpected(properties.error());
  packet.properties = *properties;
  if (auto end = expect_end(in); !end) return std::unexpected(end.error());
  return packet;
}

Decoded<Publish> decode_publish(const Frame& frame, Version version) {
  Publish packet;
  packet.qos = (frame.flags >> 1U) & 3U;
  packet.retain = (frame.flags & 1U) != 0;
  packet.duplicate = (frame.flags & 8U) != 0;
  if (packet.qos == 3) [[unlikely]] {
    return refuse(kMalformed, "QoS 3 [MQTT-3.3.1-4]");
  }
  if (packet.duplicate && packet.qos == 0) [[unlikely]] {
    return refuse(kMalformed, "DUP with QoS 0 [MQTT-3.3.1-2]");
  }
  const std::uint8_t* at = frame.body.data();
  std::size_t left = frame.body.size();
  if (left < 2) [[unlikely]] {
    return refuse(kMalformed, "packet ends within a field");
  }
  const std::size_t topic_size = load_be<std::uint16_t>(at);
  const std::size_t head = 2 + topic_size + (packet.qos != 0 ? 2 : 0);
  if (left < head) [[unlikely]] {
    return refuse(kMalformed, "packet ends within a field");
  }
  packet.topic = as_text({at + 2, topic_size});
  if (packet.qos != 0) {
    packet.packet_id = load_be<std::uint16_t>(at + 2 + topic_size);
    if (packet.packet_id == 0) [[unlikely]] {
      return refuse(kProtocolError, "packet identifier 0 [MQTT-2.2.1-3]");
    }
  }
  at += head;
  left -= head;
  if (version == Version::v5) {
    if (left != 0 && *at == 0) [[likely]] {
      ++at;
      --left;
    } else {
      FieldReader in({at, left});
      auto properties = read_properties(in, PacketType::publish, version);
      if (!properties) return std::unexpected(properties.error());
      packet.properties = *properties;
      at += left - in.remaining();
      left = in.remaining();
    }
  }
  packet.payload = {at, left};
  if (packet.topic.empty()) {
    if (packet.properties.has(PropertyId::topic_alias)) return packet;
    return refuse(version == Version::v5 ? kProtocolError : kMalformed,
                  "no topic name and no topic alias [MQTT-4.7.3-1]");
  }
  if (auto checked = check_topic_name(packet.topic); !checked) [[unlikely]] {
    return std::unexpected(checked.error());
  }
  return packet;
}

Decoded<PublishAck> decode_publish_ack(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  PublishAck packet;
  packet.type = frame.type;
  auto id = read_packet_id(in);
  if (!id) return std::unexpected(id.error());
  packet.packet_id = *id;
  if (version != Version::v5) {
    if (auto end = expect_end(in); !end) return std::unexpected(end.error());
    return packet;
  }
  auto ending = read_ending(in, frame.type);
  if (!ending) return std::unexpected(ending.error());
  packet.reason = ending->reason;
  packet.properties = ending->properties;
  return packet;
}

Decoded<Subscribe> decode_subscribe(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Subscribe packet;
  auto id = read_packet_id(in);
  if (!id) return std::unexpected(id.error());
  packet.packet_id = *id;
  auto properties = read_properties(in, PacketType::subscribe, version);
  if (!properties) return std::unexpected(properties.error());
  packet.properties = *properties;
  if (in.remaining() == 0) return refuse(kProtocolError, "SUBSCRIBE without a topic filter [MQTT-3.8.3-2]");
  while (in.remaining() != 0) {
    SubscribeEntry entry;
    entry.filter = in.text();
    const std::uint8_t bits = in.u8();
    if (!in.ok()) return std::unexpected(in.refusal());
    entry.options.maximum_qos = bits & 3U;
    if (version == Version::v5) {
      if ((bits & 0xC0U) != 0) return refuse(kMalformed, "reserved subscription option bits [MQTT-3.8.3-5]");
      entry.options.no_local = (bits & 4U) != 0;
      entry.options.retain_as_published = (bits & 8U) != 0;
      const unsigned handling = (bits >> 4U) & 3U;
      if (handling == 3) return refuse(kProtocolError, "retain handling 3 (3.8.3.1)");
      entry.options.retain_handling = static_cast<RetainHandling>(handling);
      if (entry.options.no_local && entry.filter.starts_with("$share/")) {
        return refuse(kProtocolError, "no local on a shared subscription [MQTT-3.8.3-4]");
      }
    } else if ((bits & 0xFCU) != 0) {
      return refuse(kMalformed, "reserved bits beside the requested QoS (3.1.1: [MQTT-3-8.3-4])");
    }
    if (entry.options.maximum_qos == 3) {
      return refuse(version == Version::v5 ? kProtocolError : kMalformed, "requested QoS 3 (3.8.3.1)");
    }
    packet.entries.push_back(entry);
  }
  return packet;
}

Decoded<SubscriptionAck> decode_subscription_ack(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  SubscriptionAck packet;
  packet.type = frame.type;
  auto id = read_packet_id(in);
  if (!id) return std::unexpected(id.error());
  packet.packet_id = *id;
  auto properties = read_properties(in, frame.type, version);
  if (!properties) return std::unexpected(properties.error());
  packet.properties = *properties;
  for (const std::uint8_t byte : in.rest()) {
    const auto code = static_cast<ReasonCode>(byte);
    const bool known = version == Version::v5 ? is_allowed(code, frame.type)
                                              : frame.type == PacketType::suback && (byte <= 2 || byte == 0x80);
    if (!known) return refuse(kProtocolError, "reason code not allowed in this packet (2.4)");
    packet.reasons.push_back(code);
  }
  if (packet.reasons.empty() && (version == Version::v5 || frame.type == PacketType::suback)) {
    return refuse(kMalformed, "acknowledgement without reason codes (3.9.3)");
  }
  return packet;
}

Decoded<Unsubscribe> decode_unsubscribe(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Unsubscribe packet;
  auto id = read_packet_id(in);
  if (!id) return std::unexpected(id.error());
  packet.packet_id = *id;
  auto properties = read_properties(in, PacketType::unsubscribe, version);
  if (!properties) return std::unexpected(properties.error());
  packet.properties = *properties;
  if (in.remaining() == 0) return refuse(kProtocolError, "UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]");
  while (in.remaining() != 0) {
    packet.filters.push_back(in.text());
    if (!in.ok()) return std::unexpected(in.refusal());
  }
  return packet;
}

Decoded<Disconnect> decode_disconnect(const Frame& frame, Version version) {
  if (version != Version::v5) {
    if (auto empty = check_empty(frame); !empty) return std::unexpected(empty.error());
    return Disconnect{};
  }
  FieldReader in(frame.body);
  auto ending = read_ending(in, PacketType::disconnect);
  if (!ending) return std::unexpected(ending.error());
  return Disconnect{ending->reason, ending->properties};
}

Decoded<Auth> decode_auth(const Frame& frame, Version version) {
  if (version != Version::v5) return refuse(kMalformed, "packet type 15 is reserved (3.1.1: 2.2.1)");
  FieldReader in(frame.body);
  auto ending = read_ending(in, PacketType::auth);
  if (!ending) return std::unexpected(ending.error());
  // Only a successful AUTH may be empty (3.15.2.1); everything else needs the method (3.15.2.2.2).
  if (!frame.body.empty() && !ending->properties.has(PropertyId::authentication_method)) {
    return refuse(kProtocolError, "AUTH without an authentication method (3.15.2.2.2)");
  }
  return Auth{ending->reason, ending->properties};
}

Decoded<Packet> decode(const Frame& frame, Version version) {
  const auto as_packet = [](auto decoded) -> Decoded<Packet> {
    if (!decoded) return std::unexpected(decoded.error());
    return Packet(std::move(*decoded));
  };
  switch (frame.type) {
    case PacketType::connect:
      return as_packet(decode_connect(frame));
    case PacketType::connack:
      return as_packet(decode_connack(frame, version));
    case PacketType::publish:
      return as_packet(decode_publish(frame, version));
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      return as_packet(decode_publish_ack(frame, version));
    case PacketType::subscribe:
      return as_packet(decode_subscribe(frame, version));
    case PacketType::suback:
    case PacketType::unsuback:
      return as_packet(decode_subscription_ack(frame, version));
    case PacketType::unsubscribe:
      return as_packet(decode_unsubscribe(frame, version));
    case PacketType::pingreq:
    case PacketType::pingresp:
      if (auto empty = check_empty(frame); !empty) return std::unexpected(empty.error());
      if (frame.type == PacketType::pingreq) return Packet(Pingreq{});
      return Packet(Pingresp{});
    case PacketType::disconnect:
      return as_packet(decode_disconnect(frame, version));
    case PacketType::auth:
      return as_packet(decode_auth(frame, version));
    case PacketType::reserved:
      break;
  }
  return refuse(kMalformed, "packet type 0 is reserved (2.1.2)");
}

}  // namespace millrace::mqtt::protocol
