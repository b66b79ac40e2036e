// CONNECT (5.0 section 3.1, 3.1.1 section 3.1; MQTT 3.1 is accepted by its own protocol name).
#include "mqtt/protocol/decoder.h"
#include "mqtt/protocol/field_reader.h"

namespace millrace::mqtt::protocol {
namespace {

constexpr auto kMalformed = ReasonCode::malformed_packet;
constexpr auto kProtocolError = ReasonCode::protocol_error;

constexpr unsigned kReservedFlag = 0x01;
constexpr unsigned kCleanStart = 0x02;
constexpr unsigned kWillFlag = 0x04;
constexpr unsigned kWillQosShift = 3;
constexpr unsigned kWillRetain = 0x20;
constexpr unsigned kPasswordFlag = 0x40;
constexpr unsigned kUserNameFlag = 0x80;

Decoded<Version> read_version(FieldReader& in) {
  const std::string_view name = as_text(in.binary());
  const std::uint8_t level = in.u8();
  if (!in.ok()) return std::unexpected(in.refusal());
  if (name == "MQTT") {
    if (level == 4) return Version::v3_1_1;
    if (level == 5) return Version::v5;
  } else if (name == "MQIsdp") {
    if (level == 3) return Version::v3_1;
  }
  return refuse(ReasonCode::unsupported_protocol_version, "protocol name or level not supported [MQTT-3.1.2-1, -2]");
}

Decoded<void> check_flags(unsigned flags, Version version) {
  if ((flags & kReservedFlag) != 0) return refuse(kMalformed, "reserved CONNECT flag [MQTT-3.1.2-3]");
  const unsigned will_qos = (flags >> kWillQosShift) & 3U;
  if ((flags & kWillFlag) == 0) {
    if (will_qos != 0) return refuse(kMalformed, "will QoS without a will [MQTT-3.1.2-11]");
    if ((flags & kWillRetain) != 0) return refuse(kMalformed, "will retain without a will [MQTT-3.1.2-13]");
  } else if (will_qos == 3) {
    return refuse(kMalformed, "will QoS 3 [MQTT-3.1.2-12]");
  }
  if (version != Version::v5 && (flags & kPasswordFlag) != 0 && (flags & kUserNameFlag) == 0) {
    return refuse(kMalformed, "password without user name (3.1.1: [MQTT-3.1.2-22])");
  }
  return {};
}

Decoded<Properties> read_block(FieldReader& in, PacketType place) {
  const std::uint32_t size = in.varint();
  const ByteView block = in.bytes(size);
  if (!in.ok()) return std::unexpected(in.refusal());
  return validate_properties(block, place);
}

Decoded<Will> read_will(FieldReader& in, unsigned flags, Version version) {
  Will will;
  will.qos = static_cast<std::uint8_t>((flags >> kWillQosShift) & 3U);
  will.retain = (flags & kWillRetain) != 0;
  if (version == Version::v5) {
    auto properties = read_block(in, kWillProperties);
    if (!properties) return std::unexpected(properties.error());
    will.properties = *properties;
  }
  will.topic = in.text();
  will.payload = in.binary();
  if (!in.ok()) return std::unexpected(in.refusal());
  if (auto checked = check_topic_name(will.topic); !checked) return std::unexpected(checked.error());
  return will;
}

}  // namespace

Decoded<Connect> decode_connect(const Frame& frame) {
  FieldReader in(frame.body);
  auto version = read_version(in);
  if (!version) return std::unexpected(version.error());
  Connect packet;
  packet.version = *version;
  const unsigned flags = in.u8();
  packet.keep_alive_s = in.u16();
  if (!in.ok()) return std::unexpected(in.refusal());
  if (auto checked = check_flags(flags, *version); !checked) return std::unexpected(checked.error());
  packet.clean_start = (flags & kCleanStart) != 0;
  if (*version == Version::v5) {
    auto properties = read_block(in, PacketType::connect);
    if (!properties) return std::unexpected(properties.error());
    packet.properties = *properties;
    if (properties->has(PropertyId::authentication_data) && !properties->has(PropertyId::authentication_method)) {
      return refuse(kProtocolError, "authentication data without a method (3.1.2.11.10)");
    }
  }
  packet.client_id = in.text();  // [MQTT-3.1.3-3]: always there, the order of the fields is fixed [MQTT-3.1.3-1]
  if (!in.ok()) return std::unexpected(in.refusal());
  if ((flags & kWillFlag) != 0) {
    auto will = read_will(in, flags, *version);
    if (!will) return std::unexpected(will.error());
    packet.will = *will;
  }
  if ((flags & kUserNameFlag) != 0) packet.username = in.text();
  if ((flags & kPasswordFlag) != 0) packet.password = in.binary();
  if (!in.ok()) return std::unexpected(in.refusal());
  if (in.remaining() != 0) return refuse(kMalformed, "bytes behind the last field of the packet");
  return packet;
}

std::optional<Version> refusal_version(const Frame& frame) {
  FieldReader in(frame.body);
  const std::string_view name = as_text(in.binary());
  const std::uint8_t level = in.u8();
  if (!in.ok()) return std::nullopt;
  if (name == "MQIsdp") return Version::v3_1;
  if (name != "MQTT") return std::nullopt;  // 3.1.2.1: whoever this is does not speak MQTT
  // Bridges of Mosquitto set the top bit and fall back on a 3.1.1 answer.
  return level >= 5 && (level & 0x80U) == 0 ? Version::v5 : Version::v3_1_1;
}

}  // namespace millrace::mqtt::protocol
