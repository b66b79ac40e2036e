// The few MQTT packets a load generator sends, encoded ahead of time, and a scanner for those it gets.
// MQTT 3.1.1 and 5.0: CONNECT 3.1, PUBLISH 3.3, SUBSCRIBE 3.8, PINGREQ 3.12.
//
// A Publish is encoded once per client; per message the bytes are copied and the packet id, the stamp and the running
// number are patched in place. The stamp tells a subscriber when the message was due, whose it is and which one.
// Thread: one owner.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/endian.h"

namespace millrace::load {

enum class MqttVersion : std::uint8_t { v311 = 4, v5 = 5 };

namespace mqtt_packet {
inline constexpr std::uint8_t kConnack = 2, kPublish = 3, kPuback = 4, kPubrec = 5, kPubrel = 6, kPubcomp = 7,
                              kSuback = 9, kPingresp = 13, kDisconnect = 14;
inline constexpr std::uint8_t kPingreq[2] = {0xC0, 0};
inline constexpr std::uint8_t kFarewell[2] = {0xE0, 0};  // DISCONNECT, normal, both versions
}  // namespace mqtt_packet

struct ConnectOptions {
  MqttVersion version = MqttVersion::v311;
  std::string client_id{};
  std::string user{};
  std::string password{};
  std::uint16_t keep_alive = 0;
  bool clean = true;
};
[[nodiscard]] Buffer encode_connect(const ConnectOptions& options);
[[nodiscard]] Buffer encode_subscribe(MqttVersion version, std::string_view filter, std::uint8_t qos);
/// One PUBLISH; `packet_id` is left out for QoS 0.
void append_publish(Buffer& out, MqttVersion version, std::string_view topic, std::uint8_t qos, bool dup,
                    std::uint16_t packet_id, ByteView payload);

/// Who, which and when: 16 bytes at the front of a binary payload, 32 hex digits in a JSON one.
struct Stamp {
  std::uint64_t due_ns = 0;
  std::uint32_t sender = 0;
  std::uint32_t number = 0;  // from 1 per sender
};

/// What a message looks like. JSON:
/// {"device_no":"D00007","type":"log","seq":1000000001,"speed":…,"stamp":"…","pad":"…"}.
struct PayloadShape {
  bool json = false;
  std::size_t bytes = 64;
  std::string type = "log";
  [[nodiscard]] bool stamped() const { return json || bytes >= 16; }
  /// Smallest size the JSON form fits in.
  [[nodiscard]] static std::size_t smallest_json(std::string_view type);
};

class Publish {
 public:
  Publish(MqttVersion version, std::uint8_t qos, std::string_view topic, const PayloadShape& shape,
          std::uint32_t sender);

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::size_t payload_size() const { return bytes_.size() - payload_at_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }

  /// Writes the next message at `out` (size() bytes of room); returns the end.
  std::uint8_t* next(std::uint8_t* out, std::uint16_t packet_id, std::uint64_t due_ns) {
    ++number_;
    if (counter_at_ != 0) count_up();
    std::memcpy(out, bytes_.data(), bytes_.size());
    if (packet_id_at_ != 0) store_be(out + packet_id_at_, packet_id);
    if (stamp_at_ != 0) put_stamp(out + stamp_at_, due_ns);
    return out + bytes_.size();
  }

 private:
  /// The decimal counter lives in the prepared bytes, so that counting touches 1.1 digits on average.
  void count_up() {
    std::uint8_t* digit = bytes_.data() + counter_at_ + 9;
    while (*digit == '9') *digit-- = '0';
    ++*digit;
  }
  void put_stamp(std::uint8_t* at, std::uint64_t due_ns) const;

  Buffer bytes_;
  std::size_t packet_id_at_ = 0;
  std::size_t payload_at_ = 0;
  std::size_t stamp_at_ = 0;
  std::size_t counter_at_ = 0;  // of 10 digits
  bool hex_stamp_ = false;
  std::uint32_t sender_ = 0;
  std::uint32_t number_ = 0;
};

/// Reads the stamp that a Publish of this shape wrote. False: there is none.
[[nodiscard]] bool read_stamp(ByteView payload, const PayloadShape& shape, Stamp& stamp);

/// One packet in a byte stream.
struct Packet {
  std::uint8_t first = 0;  // type and flags
  ByteView body;
  [[nodiscard]] std::uint8_t type() const { return static_cast<std::uint8_t>(first >> 4U); }
};

/// Takes the packet at the front of `bytes`. Returns the bytes it took, 0 when it is not all there, -1 when the
/// remaining length is malformed.
inline int take_packet(ByteView bytes, Packet& packet) {
  if (bytes.size() < 2) return 0;
  std::size_t length = 0;
  std::size_t at = 1;
  for (unsigned shift = 0;; shift += 7) {
    if (at >= bytes.size()) return 0;
    const std::uint8_t byte = bytes[at++];
    length |= static_cast<std::size_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) break;
    if (shift == 21) return -1;
  }
  if (bytes.size() - at < length) return 0;
  packet.first = bytes[0];
  packet.body = bytes.subspan(at, length);
  return static_cast<int>(at + length);
}

/// Payload and packet id of a received PUBLISH. False: malformed.
struct Delivery {
  std::uint16_t packet_id = 0;
  std::uint8_t qos = 0;
  ByteView payload;
};
bool take_delivery(const Packet& packet, MqttVersion version, Delivery& delivery);

/// What a CONNACK says. `code` 0: welcome.
struct Welcome {
  bool session_present = false;
  std::uint8_t code = 0;
  std::uint16_t receive_maximum = 65535;
};
bool take_connack(const Packet& packet, MqttVersion version, Welcome& welcome);
/// The words of MQTT 3.2.2.3 / MQTT 5 2.4 for a refusal.
[[nodiscard]] std::string connack_text(MqttVersion version, std::uint8_t code);

}  // namespace millrace::load
