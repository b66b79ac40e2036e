// Packet types (MQTT 5.0 section 2.1.2) and protocol versions (CONNECT, section 3.1.2.2).
#pragma once

#include <cstdint>

namespace millrace::mqtt::protocol {

enum class Version : std::uint8_t { v3_1 = 3, v3_1_1 = 4, v5 = 5 };

enum class PacketType : std::uint8_t {
  reserved = 0,
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
  auth = 15,
};

/// One bit per packet type, for tables of what may appear where.
using PacketMask = std::uint16_t;
[[nodiscard]] constexpr PacketMask mask_of(PacketType type) {
  return static_cast<PacketMask>(1U << static_cast<unsigned>(type));
}

}  // namespace millrace::mqtt::protocol
