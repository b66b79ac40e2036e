#include "load/mqtt_packets.h"

#include <fmt/format.h>

#include <array>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace millrace::load {
namespace {

constexpr std::string_view kStampKey = "\"stamp\":\"";
constexpr std::size_t kBinaryStamp = 16;
constexpr std::size_t kHexStamp = 32;
constexpr std::uint64_t kFirstCount = 1'000'000'000;  // ten digits from the start

void put_text(ByteWriter& out, std::string_view text) {
  out.be(static_cast<std::uint16_t>(text.size()));
  out.text(text);
}

Buffer packet_of(std::uint8_t first, const Buffer& body) {
  Buffer packet(body.size() + 6);
  ByteWriter out(packet);
  out.u8(first);
  out.uvarint(body.size());
  out.bytes(body.view());
  return packet;
}

/// Device message without its padding; `{stamp}` and the counter have their final width.
std::string json_text(std::string_view type, std::uint32_t sender) {
  return fmt::format(R"({{"device_no":"D{:05}","type":"{}","seq":{},"speed":63.25,"lat":37.5665350,"lon":126.9779692,)"
                     R"("ignition":true,"stamp":"{}","pad":""}})",
                     sender, type, kFirstCount, std::string(kHexStamp, '0'));
}

void put_hex(std::uint8_t* at, std::uint64_t value, int digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int i = digits - 1; i >= 0; --i) {
    at[i] = static_cast<std::uint8_t>(kDigits[value & 15U]);
    value >>= 4U;
  }
}

bool take_hex(const std::uint8_t* at, int digits, std::uint64_t& value) {
  value = 0;
  for (int i = 0; i < digits; ++i) {
    const std::uint8_t c = at[i];
    const unsigned digit = c <= '9' ? c - unsigned{'0'} : c - unsigned{'a'} + 10;
    if (digit > 15) return false;
    value = value << 4U | digit;
  }
  return true;
}

}  // namespace

Buffer encode_connect(const ConnectOptions& options) {
  Buffer body;
  ByteWriter out(body);
  put_text(out, "MQTT");
  out.u8(static_cast<std::uint8_t>(options.version));
  out.u8(static_cast<std::uint8_t>((options.clean ? 0x02 : 0) | (options.user.empty() ? 0 : 0x80) |
                                   (options.password.empty() ? 0 : 0x40)));
  out.be(options.keep_alive);
  if (options.version == MqttVersion::v5) out.u8(0);
  put_text(out, options.client_id);
  if (!options.user.empty()) put_text(out, options.user);
  if (!options.password.empty()) put_text(out, options.password);
  return packet_of(0x10, body);
}

Buffer encode_subscribe(MqttVersion version, std::string_view filter, std::uint8_t qos) {
  Buffer body;
  ByteWriter out(body);
  out.be(std::uint16_t{1});
  if (version == MqttVersion::v5) out.u8(0);
  put_text(out, filter);
  out.u8(qos);
  return packet_of(0x82, body);
}

void append_publish(Buffer& target, MqttVersion version, std::string_view topic, std::uint8_t qos, bool dup,
                    std::uint16_t packet_id, ByteView payload) {
  const std::size_t rest =
      2 + topic.size() + (qos > 0 ? 2U : 0U) + (version == MqttVersion::v5 ? 1U : 0U) + payload.size();
  ByteWriter out(target);
  out.u8(static_cast<std::uint8_t>(0x30 | qos << 1U | (dup ? 8 : 0)));
  out.uvarint(rest);
  put_text(out, topic);
  if (qos > 0) out.be(packet_id);
  if (version == MqttVersion::v5) out.u8(0);
  out.bytes(payload);
}

std::size_t PayloadShape::smallest_json(std::string_view type) {
  return json_text(type, 99999).size();
}

Publish::Publish(MqttVersion version, std::uint8_t qos, std::string_view topic, const PayloadShape& shape,
                 std::uint32_t sender)
    : hex_stamp_(shape.json), sender_(sender) {
  std::string payload;
  if (shape.json) {
    payload = json_text(shape.type, sender);
    if (payload.size() < shape.bytes) payload.insert(payload.size() - 2, shape.bytes - payload.size(), 'x');
  } else {
    payload.assign(shape.bytes, 'x');
  }
  append_publish(bytes_, version, topic, qos, false, 0, as_bytes(payload));
  payload_at_ = bytes_.size() - payload.size();
  if (qos > 0) packet_id_at_ = payload_at_ - (version == MqttVersion::v5 ? 3 : 2);
  if (shape.json) {
    stamp_at_ = payload_at_ + payload.find(kStampKey) + kStampKey.size();
    counter_at_ = payload_at_ + payload.find(std::to_string(kFirstCount));
  } else if (shape.stamped()) {
    stamp_at_ = payload_at_;
  }
}

void Publish::put_stamp(std::uint8_t* at, std::uint64_t due_ns) const {
  if (hex_stamp_) {
    put_hex(at, due_ns, 16);
    put_hex(at + 16, sender_, 8);
    put_hex(at + 24, number_, 8);
    return;
  }
  store_be(at, due_ns);
  store_be(at + 8, sender_);
  store_be(at + 12, number_);
}

bool read_stamp(ByteView payload, const PayloadShape& shape, Stamp& stamp) {
  if (!shape.json) {
    if (payload.size() < kBinaryStamp) return false;
    stamp = {load_be<std::uint64_t>(payload.data()), load_be<std::uint32_t>(payload.data() + 8),
             load_be<std::uint32_t>(payload.data() + 12)};
    return true;
  }
  // Behind fixed-width members, so almost always at the same place; a server that rewrites the message may have moved
  // it.
  const std::size_t at = as_text(payload).find(kStampKey);
  if (at == std::string_view::npos || payload.size() - at < kStampKey.size() + kHexStamp) return false;
  const std::uint8_t* digits = payload.data() + at + kStampKey.size();
  std::uint64_t sender = 0;
  std::uint64_t number = 0;
  if (!take_hex(digits, 16, stamp.due_ns) || !take_hex(digits + 16, 8, sender) || !take_hex(digits + 24, 8, number)) {
    return false;
  }
  stamp.sender = static_cast<std::uint32_t>(sender);
  stamp.number = static_cast<std::uint32_t>(number);
  return true;
}

bool take_delivery(const Packet& packet, MqttVersion version, Delivery& delivery) {
  ByteReader in(packet.body);
  delivery.qos = static_cast<std::uint8_t>(packet.first >> 1U & 3U);
  in.skip(in.be<std::uint16_t>());
  if (delivery.qos > 0) delivery.packet_id = in.be<std::uint16_t>();
  if (version == MqttVersion::v5) in.skip(in.uvarint(4));
  delivery.payload = in.bytes(in.remaining());
  return in.ok();
}

bool take_connack(const Packet& packet, MqttVersion version, Welcome& welcome) {
  ByteReader in(packet.body);
  welcome.session_present = (in.u8() & 1U) != 0;
  welcome.code = in.u8();
  if (version == MqttVersion::v5 && in.remaining() > 0) {
    ByteReader properties(in.bytes(in.uvarint(4)));
    while (properties.remaining() > 0 && properties.ok()) {
      const std::uint8_t id = properties.u8();
      switch (id) {  // MQTT 5 2.2.2.2, those of CONNACK
        case 0x21:
          welcome.receive_maximum = properties.be<std::uint16_t>();
          break;
        case 0x11:
        case 0x27:
          properties.skip(4);
          break;
        case 0x13:
        case 0x22:
          properties.skip(2);
          break;
        case 0x24:
        case 0x25:
        case 0x28:
        case 0x29:
        case 0x2A:
          properties.skip(1);
          break;
        case 0x26:
          properties.skip(properties.be<std::uint16_t>());
          [[fallthrough]];
        default:
          properties.skip(properties.be<std::uint16_t>());
          break;
      }
    }
    if (!properties.ok()) return false;
  }
  return in.ok() && welcome.receive_maximum > 0;
}

std::string connack_text(MqttVersion version, std::uint8_t code) {
  static constexpr std::array<std::string_view, 6> kOld = {
      "accepted",           "unacceptable protocol version", "identifier rejected",
      "server unavailable", "bad user name or password",     "not authorized"};
  if (version == MqttVersion::v311 && code < kOld.size()) return std::string(kOld[code]);
  switch (code) {
    case 0x81:
      return "malformed packet";
    case 0x82:
      return "protocol error";
    case 0x84:
      return "unsupported protocol version";
    case 0x85:
      return "client identifier not valid";
    case 0x86:
      return "bad user name or password";
    case 0x87:
      return "not authorized";
    case 0x88:
      return "server unavailable";
    case 0x89:
      return "server busy";
    case 0x97:
      return "quota exceeded";
    case 0x9F:
      return "connection rate exceeded";
    default:
      return fmt::format("code 0x{:02x}", code);
  }
}

}  // namespace millrace::load
