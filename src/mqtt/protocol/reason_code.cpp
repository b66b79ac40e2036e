#include "mqtt/protocol/reason_code.h"

#include <array>

namespace millrace::mqtt::protocol {
namespace {

constexpr PacketMask kConnack = mask_of(PacketType::connack);
constexpr PacketMask kPuback = mask_of(PacketType::puback);
constexpr PacketMask kPubrec = mask_of(PacketType::pubrec);
constexpr PacketMask kPubrel = mask_of(PacketType::pubrel);
constexpr PacketMask kPubcomp = mask_of(PacketType::pubcomp);
constexpr PacketMask kSuback = mask_of(PacketType::suback);
constexpr PacketMask kUnsuback = mask_of(PacketType::unsuback);
constexpr PacketMask kDisconnect = mask_of(PacketType::disconnect);
constexpr PacketMask kAuth = mask_of(PacketType::auth);
constexpr PacketMask kReceived = kPuback | kPubrec;
constexpr PacketMask kReleased = kPubrel | kPubcomp;

struct Row {
  ReasonCode code;
  std::string_view name;
  PacketMask packets;
};

using enum ReasonCode;
constexpr std::array kRows{
    Row{success, "success", kConnack | kReceived | kReleased | kSuback | kUnsuback | kDisconnect | kAuth},
    Row{granted_qos_1, "granted_qos_1", kSuback},
    Row{granted_qos_2, "granted_qos_2", kSuback},
    Row{disconnect_with_will_message, "disconnect_with_will_message", kDisconnect},
    Row{no_matching_subscribers, "no_matching_subscribers", kReceived},
    Row{no_subscription_existed, "no_subscription_existed", kUnsuback},
    Row{continue_authentication, "continue_authentication", kAuth},
    Row{re_authenticate, "re_authenticate", kAuth},
    Row{unspecified_error, "unspecified_error", kConnack | kReceived | kSuback | kUnsuback | kDisconnect},
    Row{malformed_packet, "malformed_packet", kConnack | kDisconnect},
    Row{protocol_error, "protocol_error", kConnack | kDisconnect},
    Row{implementation_specific_error, "implementation_specific_error",
        kConnack | kReceived | kSuback | kUnsuback | kDisconnect},
    Row{unsupported_protocol_version, "unsupported_protocol_version", kConnack},
    Row{client_identifier_not_valid, "client_identifier_not_valid", kConnack},
    Row{bad_user_name_or_password, "bad_user_name_or_password", kConnack},
    Row{not_authorized, "not_authorized", kConnack | kReceived | kSuback | kUnsuback | kDisconnect},
    Row{server_unavailable, "server_unavailable", kConnack},
    Row{server_busy, "server_busy", kConnack | kDisconnect},
    Row{banned, "banned", kConnack},
    Row{server_shutting_down, "server_shutting_down", kDisconnect},
    Row{bad_authentication_method, "bad_authentication_method", kConnack | kDisconnect},
    Row{keep_alive_timeout, "keep_alive_timeout", kDisconnect},
    Row{session_taken_over, "session_taken_over", kDisconnect},
    Row{topic_filter_invalid, "topic_filter_invalid", kSuback | kUnsuback | kDisconnect},
    Row{topic_name_invalid, "topic_name_invalid", kConnack | kReceived | kDisconnect},
    Row{packet_identifier_in_use, "packet_identifier_in_use", kReceived | kSuback | kUnsuback},
    Row{packet_identifier_not_found, "packet_identifier_not_found", kReleased},
    Row{receive_maximum_exceeded, "receive_maximum_exceeded", kDisconnect},
    Row{topic_alias_invalid, "topic_alias_invalid", kDisconnect},
    Row{packet_too_large, "packet_too_large", kConnack | kDisconnect},
    Row{message_rate_too_high, "message_rate_too_high", kDisconnect},
    Row{quota_exceeded, "quota_exceeded", kConnack | kReceived | kSuback | kDisconnect},
    Row{administrative_action, "administrative_action", kDisconnect},
    Row{payload_format_invalid, "payload_format_invalid", kConnack | kReceived | kDisconnect},
    Row{retain_not_supported, "retain_not_supported", kConnack | kDisconnect},
    Row{qos_not_supported, "qos_not_supported", kConnack | kDisconnect},
    Row{use_another_server, "use_another_server", kConnack | kDisconnect},
    Row{server_moved, "server_moved", kConnack | kDisconnect},
    Row{shared_subscriptions_not_supported, "shared_subscriptions_not_supported", kSuback | kDisconnect},
    Row{connection_rate_exceeded, "connection_rate_exceeded", kConnack | kDisconnect},
    Row{maximum_connect_time, "maximum_connect_time", kDisconnect},
    Row{subscription_identifiers_not_supported, "subscription_identifiers_not_supported", kSuback | kDisconnect},
    Row{wildcard_subscriptions_not_supported, "wildcard_subscriptions_not_supported", kSuback | kDisconnect},
};
static_assert(kRows.size() == 43);

constexpr std::uint8_t kNoRow = 0xFF;
constexpr auto kIndex = [] {
  std::array<std::uint8_t, 256> index{};
  index.fill(kNoRow);
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    index[static_cast<std::uint8_t>(kRows[i].code)] = static_cast<std::uint8_t>(i);
  }
  return index;
}();

}  // namespace

std::string_view to_string(ReasonCode code) {
  const std::uint8_t row = kIndex[static_cast<std::uint8_t>(code)];
  return row == kNoRow ? std::string_view("unknown") : kRows[row].name;
}

bool is_allowed(ReasonCode code, PacketType type) {
  const std::uint8_t row = kIndex[static_cast<std::uint8_t>(code)];
  return row != kNoRow && (kRows[row].packets & mask_of(type)) != 0;
}

std::uint8_t connack_return_code(ReasonCode code) {
  switch (code) {
    case success:
      return 0;
    case unsupported_protocol_version:
      return 1;
    case client_identifier_not_valid:
      return 2;
    case bad_user_name_or_password:
      return 4;
    case not_authorized:
    case banned:
    case bad_authentication_method:
      return 5;
    default:
      return 3;  // server unavailable
  }
}

}  // namespace millrace::mqtt::protocol
