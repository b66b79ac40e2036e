// Reason codes of MQTT 5.0 section 2.4: one table says each code's name and the packets that may carry it.
//
// 3.1.1 has reason codes only in CONNACK ("return codes") and SUBACK (0x80); connack_return_code() maps ours onto
// those. Thread: pure functions.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "mqtt/protocol/packet_type.h"

namespace millrace::mqtt::protocol {

enum class ReasonCode : std::uint8_t {
  success = 0x00,  // also: normal disconnection, granted QoS 0
  granted_qos_1 = 0x01,
  granted_qos_2 = 0x02,
  disconnect_with_will_message = 0x04,
  no_matching_subscribers = 0x10,
  no_subscription_existed = 0x11,
  continue_authentication = 0x18,
  re_authenticate = 0x19,
  unspecified_error = 0x80,
  malformed_packet = 0x81,
  protocol_error = 0x82,
  implementation_specific_error = 0x83,
  unsupported_protocol_version = 0x84,
  client_identifier_not_valid = 0x85,
  bad_user_name_or_password = 0x86,
  not_authorized = 0x87,
  server_unavailable = 0x88,
  server_busy = 0x89,
  banned = 0x8A,
  server_shutting_down = 0x8B,
  bad_authentication_method = 0x8C,
  keep_alive_timeout = 0x8D,
  session_taken_over = 0x8E,
  topic_filter_invalid = 0x8F,
  topic_name_invalid = 0x90,
  packet_identifier_in_use = 0x91,
  packet_identifier_not_found = 0x92,
  receive_maximum_exceeded = 0x93,
  topic_alias_invalid = 0x94,
  packet_too_large = 0x95,
  message_rate_too_high = 0x96,
  quota_exceeded = 0x97,
  administrative_action = 0x98,
  payload_format_invalid = 0x99,
  retain_not_supported = 0x9A,
  qos_not_supported = 0x9B,
  use_another_server = 0x9C,
  server_moved = 0x9D,
  shared_subscriptions_not_supported = 0x9E,
  connection_rate_exceeded = 0x9F,
  maximum_connect_time = 0xA0,
  subscription_identifiers_not_supported = 0xA1,
  wildcard_subscriptions_not_supported = 0xA2,
};

/// Lower-case words as in the enumeration ("malformed_packet"); "unknown" for a value without a row.
[[nodiscard]] std::string_view to_string(ReasonCode code);
/// Whether the packet type may carry the code (table of section 2.4).
[[nodiscard]] bool is_allowed(ReasonCode code, PacketType type);
/// Codes from 0x80 on are failures (section 2.4).
[[nodiscard]] constexpr bool is_failure(ReasonCode code) {
  return static_cast<std::uint8_t>(code) >= 0x80;
}
/// The 3.1.1 CONNACK return code (section 3.2.2.3) nearest to `code`: 0 to 5.
[[nodiscard]] std::uint8_t connack_return_code(ReasonCode code);

/// Why a packet was not accepted. `why` is a string literal that names the rule broken, for logs and Reason String.
struct Refusal {
  ReasonCode reason = ReasonCode::malformed_packet;
  const char* why = "";
};
template <class T>
using Decoded = std::expected<T, Refusal>;

[[nodiscard]] inline std::unexpected<Refusal> refuse(ReasonCode reason, const char* why) {
  return std::unexpected<Refusal>(Refusal{reason, why});
}

}  // namespace millrace::mqtt::protocol
