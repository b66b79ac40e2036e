#include "mqtt/protocol/encoder.h"

#include "base/assert.h"
#include "base/byte_writer.h"
#include "mqtt/protocol/field_reader.h"

namespace millrace::mqtt::protocol {
namespace {

std::size_t text_size(std::string_view text) {
  MR_ASSERT(text.size() <= kMaxTextSize);
  return 2 + text.size();
}
std::size_t block_size(const Properties& properties) {
  return uvarint_size(properties.bytes().size()) + properties.bytes().size();
}

void put_header(ByteWriter& out, PacketType type, unsigned flags, std::size_t remaining) {
  MR_ASSERT(remaining <= kMaxVarint);
  out.u8(static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4U) | flags));
  out.uvarint(remaining);
}
void put_text(ByteWriter& out, std::string_view text) {
  out.be(static_cast<std::uint16_t>(text.size()));
  out.text(text);
}
void put_block(ByteWriter& out, const Properties& properties) {
  out.uvarint(properties.bytes().size());
  out.bytes(properties.bytes());
}

// Reason code and properties, each only as far as needed (3.4.2.1, 3.14.2.1, 3.15.2.1).
std::size_t ending_size(ReasonCode reason, const Properties& properties) {
  if (!properties.empty()) return 1 + block_size(properties);
  return reason == ReasonCode::success ? 0 : 1;
}
void put_ending(ByteWriter& out, ReasonCode reason, const Properties& properties) {
  if (ending_size(reason, properties) == 0) return;
  out.u8(static_cast<std::uint8_t>(reason));
  if (!properties.empty()) put_block(out, properties);
}

std::size_t remaining_length(const Publish& packet, Version version) {
  return text_size(packet.topic) + (packet.qos != 0 ? 2 : 0) +
         (version == Version::v5 ? block_size(packet.properties) : 0) + packet.payload.size();
}

}  // namespace

void encode(Buffer& buffer, const Connect& packet) {
  const bool v5 = packet.version == Version::v5;
  const std::string_view name = packet.version == Version::v3_1 ? "MQIsdp" : "MQTT";
  std::size_t size = text_size(name) + 4 + text_size(packet.client_id);
  if (v5) size += block_size(packet.properties);
  unsigned flags = packet.clean_start ? 2U : 0U;
  if (packet.will) {
    MR_ASSERT(packet.will->payload.size() <= kMaxTextSize);
    size += text_size(packet.will->topic) + 2 + packet.will->payload.size();
    if (v5) size += block_size(packet.will->properties);
    flags |= 4U | static_cast<unsigned>(packet.will->qos << 3U) | (packet.will->retain ? 0x20U : 0U);
  }
  if (packet.username) {
    size += text_size(*packet.username);
    flags |= 0x80U;
  }
  if (packet.password) {
    size += text_size(as_text(*packet.password));
    flags |= 0x40U;
  }
  ByteWriter out(buffer);
  put_header(out, PacketType::connect, 0, size);
  put_text(out, name);
  out.u8(static_cast<std::uint8_t>(packet.version));
  out.u8(static_cast<std::uint8_t>(flags));
  out.be(packet.keep_alive_s);
  if (v5) put_block(out, packet.properties);
  put_text(out, packet.client_id);
  if (packet.will) {
    if (v5) put_block(out, packet.will->properties);
    put_text(out, packet.will->topic);
    put_text(out, as_text(packet.will->payload));
  }
  if (packet.username) put_text(out, *packet.username);
  if (packet.password) put_text(out, as_text(*packet.password));
}

void encode(Buffer& buffer, const Connack& packet, Version version) {
  ByteWriter out(buffer);
  const bool v5 = version == Version::v5;
  put_header(out, PacketType::connack, 0, 2 + (v5 ? block_size(packet.properties) : 0));
  // MQTT 3.1 has a reserved byte here; a refusal never says "session present" [MQTT-3.2.2-6].
  const bool present = packet.session_present && version != Version::v3_1 && !is_failure(packet.reason);
  out.u8(present ? 1 : 0);
  out.u8(v5 ? static_cast<std::uint8_t>(packet.reason) : connack_return_code(packet.reason));
  if (v5) put_block(out, packet.properties);
}

std::size_t encoded_size(const Publish& packet, Version version) {
  const std::size_t remaining = remaining_length(packet, version);
  return 1 + uvarint_size(remaining) + remaining;
}

void encode(Buffer& buffer, const Publish& packet, Version version) {
  ByteWriter out(buffer);
  const unsigned flags =
      (packet.duplicate ? 8U : 0U) | static_cast<unsigned>(packet.qos << 1U) | (packet.retain ? 1U : 0U);
  put_header(out, PacketType::publish, flags, remaining_length(packet, version));
  put_text(out, packet.topic);
  if (packet.qos != 0) out.be(packet.packet_id);
  if (version == Version::v5) put_block(out, packet.properties);
  out.bytes(packet.payload);
}

void encode(Buffer& buffer, const PublishAck& packet, Version version) {
  ByteWriter out(buffer);
  const bool v5 = version == Version::v5;
  put_header(out, packet.type, packet.type == PacketType::pubrel ? 2 : 0,
             2 + (v5 ? ending_size(packet.reason, packet.properties) : 0));
  out.be(packet.packet_id);
  if (v5) put_ending(out, packet.reason, packet.properties);
}

void encode(Buffer& buffer, const Subscribe& packet, Version version) {
  const bool v5 = version == Version::v5;
  std::size_t size = 2 + (v5 ? block_size(packet.properties) : 0);
  for (const SubscribeEntry& entry : packet.entries) size += text_size(entry.filter) + 1;
  ByteWriter out(buffer);
  put_header(out, PacketType::subscribe, 2, size);
  out.be(packet.packet_id);
  if (v5) put_block(out, packet.properties);
  for (const SubscribeEntry& entry : packet.entries) {
    put_text(out, entry.filter);
    unsigned bits = entry.options.maximum_qos;
    if (v5) {
      bits |= (entry.options.no_local ? 4U : 0U) | (entry.options.retain_as_published ? 8U : 0U) |
              (static_cast<unsigned>(entry.options.retain_handling) << 4U);
    }
    out.u8(static_cast<std::uint8_t>(bits));
  }
}

void encode(Buffer& buffer, const SubscriptionAck& packet, Version version) {
  const bool v5 = version == Version::v5;
  const bool with_reasons = v5 || packet.type == PacketType::suback;
  ByteWriter out(buffer);
  put_header(out, packet.type, 0,
             2 + (v5 ? block_size(packet.properties) : 0) + (with_reasons ? packet.reasons.size() : 0));
  out.be(packet.packet_id);
  if (v5) put_block(out, packet.properties);
  if (!with_reasons) return;
  for (const ReasonCode reason : packet.reasons) {
    // 3.1.1 knows one failure only [MQTT-3.9.3-2].
    out.u8(!v5 && is_failure(reason) ? 0x80 : static_cast<std::uint8_t>(reason));
  }
}

void encode(Buffer& buffer, const Unsubscribe& packet, Version version) {
  const bool v5 = version == Version::v5;
  std::size_t size = 2 + (v5 ? block_size(packet.properties) : 0);
  for (const std::string_view filter : packet.filters) size += text_size(filter);
  ByteWriter out(buffer);
  put_header(out, PacketType::unsubscribe, 2, size);
  out.be(packet.packet_id);
  if (v5) put_block(out, packet.properties);
  for (const std::string_view filter : packet.filters) put_text(out, filter);
}

void encode(Buffer& buffer, const Disconnect& packet, Version version) {
  ByteWriter out(buffer);
  const bool v5 = version == Version::v5;
  put_header(out, PacketType::disconnect, 0, v5 ? ending_size(packet.reason, packet.properties) : 0);
  if (v5) put_ending(out, packet.reason, packet.properties);
}

void encode(Buffer& buffer, const Auth& packet) {
  ByteWriter out(buffer);
  put_header(out, PacketType::auth, 0, ending_size(packet.reason, packet.properties));
  put_ending(out, packet.reason, packet.properties);
}

void encode_pingreq(Buffer& out) {
  out.push_back(0xC0);
  out.push_back(0);
}
void encode_pingresp(Buffer& out) {
  out.push_back(0xD0);
  out.push_back(0);
}

void encode(Buffer& out, const Packet& packet, Version version) {
  std::visit(
      [&](const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, Connect> || std::is_same_v<Value, Auth>) {
          encode(out, value);
        } else if constexpr (std::is_same_v<Value, Pingreq>) {
          encode_pingreq(out);
        } else if constexpr (std::is_same_v<Value, Pingresp>) {
          encode_pingresp(out);
        } else {
          encode(out, value, version);
        }
      },
      packet);
}

}  // namespace millrace::mqtt::protocol
