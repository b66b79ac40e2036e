// Framing: finds the end of the first control packet in a run of bytes (MQTT 5.0 section 2.1).
//
// Works on every split of the byte stream: as long as the packet is not whole the answer is "need more", or a refusal
// as soon as the bytes that are there prove one. A claimed length is only compared, never allocated. Thread: pure
// function.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "mqtt/protocol/packet_type.h"
#include "mqtt/protocol/reason_code.h"

namespace millrace::mqtt::protocol {

struct Frame {
  PacketType type = PacketType::reserved;
  std::uint8_t flags = 0;   // the low four bits of the first byte
  ByteView body;            // behind the fixed header
  std::size_t size = 0;     // whole packet; 0: need more bytes
  std::size_t claimed = 0;  // what the fixed header says, once that is there

  [[nodiscard]] bool complete() const { return size != 0; }
};

/// The packet at the front of `bytes`. Refuses reserved types and flag bits (malformed_packet, [MQTT-2.1.3-1]), a
/// remaining length of more than four bytes or not in its shortest form (malformed_packet), and a packet of more than
/// `max_packet_size` bytes in all (packet_too_large).
[[nodiscard]] inline Decoded<Frame> next_frame(ByteView bytes, std::size_t max_packet_size) {
  if (bytes.empty()) return Frame{};
  const auto type = static_cast<PacketType>(bytes[0] >> 4U);
  const auto flags = static_cast<std::uint8_t>(bytes[0] & 0x0FU);
  // Flags of every type but PUBLISH are fixed: 0b0010 for PUBREL, SUBSCRIBE and UNSUBSCRIBE, else 0 (table 2-2).
  constexpr PacketMask kTwo =
      mask_of(PacketType::pubrel) | mask_of(PacketType::subscribe) | mask_of(PacketType::unsubscribe);
  if (type != PacketType::publish) {
    if (type == PacketType::reserved) return refuse(ReasonCode::malformed_packet, "packet type 0 is reserved (2.1.2)");
    const unsigned expected = (mask_of(type) & kTwo) != 0 ? 2 : 0;
    if (flags != expected)
      return refuse(ReasonCode::malformed_packet, "reserved flag bits of the fixed header [MQTT-2.1.3-1]");
  }
  std::size_t remaining = 0;
  for (std::size_t i = 1;; ++i) {
    if (i == bytes.size()) return Frame{};
    const std::uint8_t byte = bytes[i];
    remaining |= static_cast<std::size_t>(byte & 0x7FU) << (7 * (i - 1));
    if ((byte & 0x80U) != 0) {
      if (i == 4) return refuse(ReasonCode::malformed_packet, "remaining length longer than four bytes (1.5.5)");
      continue;
    }
    if (byte == 0 && i != 1) {
      return refuse(ReasonCode::malformed_packet, "remaining length not in its shortest form [MQTT-1.5.5-1]");
    }
    const std::size_t size = 1 + i + remaining;
    if (size > max_packet_size)
      return refuse(ReasonCode::packet_too_large, "packet larger than the maximum packet size");
    if (size > bytes.size()) return Frame{type, flags, {}, 0, size};
    return Frame{type, flags, bytes.subspan(1 + i, remaining), size, size};
  }
}

/// The whole size of the packet that begins with `bytes`, as its fixed header says; 0 when that is not there or wrong.
[[nodiscard]] inline std::size_t packet_size(ByteView bytes) {
  const auto frame = next_frame(bytes, SIZE_MAX);
  return frame ? frame->claimed : 0;
}

}  // namespace millrace::mqtt::protocol
