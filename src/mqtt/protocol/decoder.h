// Decoders: the bytes of one framed control packet to a value (MQTT 3.1, 3.1.1 and 5.0, chapter 3).
//
// A Refusal carries the reason code of section 4.13: malformed_packet when the bytes cannot be parsed, protocol_error
// or a more exact code when they can. Nothing is allocated but the lists of SUBSCRIBE, UNSUBSCRIBE and their
// acknowledgements, which grow with the bytes that are there. Thread: pure functions.
#pragma once

#include "mqtt/protocol/frame.h"
#include "mqtt/protocol/packet.h"

namespace millrace::mqtt::protocol {

/// Besides the usual reasons: unsupported_protocol_version. The version a refusal should be answered in is
/// refusal_version().
[[nodiscard]] Decoded<Connect> decode_connect(const Frame& frame);
/// The version in which to answer a CONNECT that was refused: what its first bytes claim, 3.1.1 when they are not
/// readable; nullopt when it does not even start as MQTT does and must not be answered.
[[nodiscard]] std::optional<Version> refusal_version(const Frame& frame);

[[nodiscard]] Decoded<Connack> decode_connack(const Frame& frame, Version version);
/// An empty topic is accepted with a topic alias (5.0). The topic is checked; QoS 3, packet id 0 and DUP with QoS 0 are
/// refused.
[[nodiscard]] Decoded<Publish> decode_publish(const Frame& frame, Version version);
/// PUBACK, PUBREC, PUBREL, PUBCOMP.
[[nodiscard]] Decoded<PublishAck> decode_publish_ack(const Frame& frame, Version version);
[[nodiscard]] Decoded<Subscribe> decode_subscribe(const Frame& frame, Version version);
/// SUBACK, UNSUBACK.
[[nodiscard]] Decoded<SubscriptionAck> decode_subscription_ack(const Frame& frame, Version version);
[[nodiscard]] Decoded<Unsubscribe> decode_unsubscribe(const Frame& frame, Version version);
[[nodiscard]] Decoded<Disconnect> decode_disconnect(const Frame& frame, Version version);
[[nodiscard]] Decoded<Auth> decode_auth(const Frame& frame, Version version);

/// Any packet; `version` is ignored for CONNECT.
[[nodiscard]] Decoded<Packet> decode(const Frame& frame, Version version);

}  // namespace millrace::mqtt::protocol
