// Encoders: appends control packets to a buffer. What was decoded encodes to the same bytes, except that optional
// endings (reason 0, empty properties of acknowledgements) are always written in their short form.
//
// Contract: strings and binary data fit 65,535 bytes, a packet fits 268,435,455 bytes behind its fixed header;
// asserted. Thread: pure functions of their arguments.
#pragma once

#include "mqtt/protocol/packet.h"

namespace millrace::mqtt::protocol {

void encode(Buffer& out, const Connect& packet);  // in packet.version
void encode(Buffer& out, const Connack& packet, Version version);
void encode(Buffer& out, const Publish& packet, Version version);
void encode(Buffer& out, const PublishAck& packet, Version version);
void encode(Buffer& out, const Subscribe& packet, Version version);
void encode(Buffer& out, const SubscriptionAck& packet, Version version);
void encode(Buffer& out, const Unsubscribe& packet, Version version);
void encode(Buffer& out, const Disconnect& packet, Version version);
void encode(Buffer& out, const Auth& packet);
void encode(Buffer& out, const Packet& packet, Version version);

void encode_pingreq(Buffer& out);
void encode_pingresp(Buffer& out);

/// The form of PUBACK, PUBREC, PUBREL and PUBCOMP with reason 0: the same four bytes in every version.
inline constexpr std::size_t kShortAckSize = 4;
inline std::uint8_t* put_short_ack(std::uint8_t* at, PacketType type, std::uint16_t packet_id) {
  at[0] = static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4U) | (type == PacketType::pubrel ? 2U : 0U));
  at[1] = 2;
  at[2] = static_cast<std::uint8_t>(packet_id >> 8U);
  at[3] = static_cast<std::uint8_t>(packet_id);
  return at + kShortAckSize;
}
inline void encode_short_ack(Buffer& out, PacketType type, std::uint16_t packet_id) {
  put_short_ack(out.prepare(kShortAckSize), type, packet_id);
  out.commit(kShortAckSize);
}

/// Bytes `packet` will take. Requires a packet within the contract above.
[[nodiscard]] std::size_t encoded_size(const Publish& packet, Version version);

}  // namespace millrace::mqtt::protocol
