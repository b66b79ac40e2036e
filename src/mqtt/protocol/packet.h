// The control packets as values (MQTT 5.0 chapter 3; 3.1.1 packets are the same without properties and reason codes).
//
// Strings, payloads and properties are views into the bytes decoded, or into whatever the caller wants encoded.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "mqtt/protocol/property.h"

namespace millrace::mqtt::protocol {

struct Will {  // 3.1.2.5
  std::string_view topic;
  ByteView payload;
  std::uint8_t qos = 0;
  bool retain = false;
  Properties properties;
};

struct Connect {  // 3.1
  Version version = Version::v5;
  bool clean_start = true;  // 3.1.1: clean session
  std::uint16_t keep_alive_s = 0;
  std::string_view client_id;
  std::optional<Will> will;
  std::optional<std::string_view> username;
  std::optional<ByteView> password;
  Properties properties;
};

struct Connack {  // 3.2
  bool session_present = false;
  ReasonCode reason = ReasonCode::success;  // 3.1.1: encoded as the nearest return code
  Properties properties;
};

struct Publish {  // 3.3
  std::string_view topic;
  ByteView payload;
  std::uint16_t packet_id = 0;  // 0 for QoS 0
  std::uint8_t qos = 0;
  bool retain = false;
  bool duplicate = false;
  Properties properties;
};

/// PUBACK, PUBREC, PUBREL or PUBCOMP (3.4 to 3.7).
struct PublishAck {
  PacketType type = PacketType::puback;
  std::uint16_t packet_id = 0;
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};

enum class RetainHandling : std::uint8_t { send = 0, send_if_new = 1, do_not_send = 2 };

struct SubscriptionOptions {  // 3.8.3.1
  std::uint8_t maximum_qos = 0;
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::send;
  bool operator==(const SubscriptionOptions&) const = default;
};

struct SubscribeEntry {
  std::string_view filter;  // a UTF-8 string; its form is checked by parse_topic_filter
  SubscriptionOptions options;
};

struct Subscribe {  // 3.8
  std::uint16_t packet_id = 0;
  std::vector<SubscribeEntry> entries;
  Properties properties;
};

struct Unsubscribe {  // 3.10
  std::uint16_t packet_id = 0;
  std::vector<std::string_view> filters;
  Properties properties;
};

/// SUBACK or UNSUBACK (3.9, 3.11). UNSUBACK of 3.1.1 has no reasons.
struct SubscriptionAck {
  PacketType type = PacketType::suback;
  std::uint16_t packet_id = 0;
  std::vector<ReasonCode> reasons;
  Properties properties;
};

struct Pingreq {};
struct Pingresp {};

struct Disconnect {  // 3.14
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};

struct Auth {  // 3.15
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};

using Packet = std::variant<Connect, Connack, Publish, PublishAck, Subscribe, SubscriptionAck, Unsubscribe, Pingreq,
                            Pingresp, Disconnect, Auth>;

}  // namespace millrace::mqtt::protocol
