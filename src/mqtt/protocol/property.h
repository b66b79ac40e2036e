// Properties of MQTT 5.0 (section 2.2.2.2): one table of 27 rows drives decoding, encoding and the decision between
// malformed packet (unknown identifier, wrong packet, value not of its type) and protocol error (twice, forbidden
// value).
//
// Decoding validates a property block once and keeps it as bytes plus a bit per identifier; values are read from the
// bytes when asked for. Nothing is allocated. Adding a property is adding a row.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/bytes.h"
#include "mqtt/protocol/packet_type.h"
#include "mqtt/protocol/reason_code.h"

namespace millrace::mqtt::protocol {

enum class PropertyId : std::uint8_t {
  payload_format_indicator = 1,
  message_expiry_interval = 2,
  content_type = 3,
  response_topic = 8,
  correlation_data = 9,
  subscription_identifier = 11,
  session_expiry_interval = 17,
  assigned_client_identifier = 18,
  server_keep_alive = 19,
  authentication_method = 21,
  authentication_data = 22,
  request_problem_information = 23,
  will_delay_interval = 24,
  request_response_information = 25,
  response_information = 26,
  server_reference = 28,
  reason_string = 31,
  receive_maximum = 33,
  topic_alias_maximum = 34,
  topic_alias = 35,
  maximum_qos = 36,
  retain_available = 37,
  user_property = 38,
  maximum_packet_size = 39,
  wildcard_subscription_available = 40,
  subscription_identifier_available = 41,
  shared_subscription_available = 42,
};

enum class PropertyType : std::uint8_t { byte, two_bytes, four_bytes, varint, text, binary, text_pair };

/// What a value must obey besides its type.
enum class PropertyRule : std::uint8_t {
  any,
  zero_or_one,
  not_zero,
  alias,       // not zero, answered with topic_alias_invalid
  topic_name,  // a topic name without wildcards
};

/// The place "will properties" in CONNECT takes the bit of packet type 0, which is reserved.
inline constexpr PacketType kWillProperties = PacketType::reserved;

struct PropertyRow {
  PropertyId id;
  std::string_view name;
  PropertyType type;
  PacketMask packets;
  PacketMask repeatable_in;  // packets in which it may stand more than once
  PropertyRule rule;
};

/// The whole table, in order of identifier.
[[nodiscard]] std::span<const PropertyRow> property_table();
/// nullptr for an identifier without a row.
[[nodiscard]] const PropertyRow* find_property(std::uint32_t id);

struct Property {
  PropertyId id{};
  std::uint32_t number = 0;  // byte, two_bytes, four_bytes, varint
  std::string_view text;     // text, binary, and the name of a pair
  std::string_view value;    // of a pair
};

/// A validated property block. Views into the packet.
class Properties {
 public:
  Properties() = default;

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  /// The block without its length.
  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] bool has(PropertyId id) const { return (present_ & bit(id)) != 0; }
  /// True when any of the identifiers in `mask` (bit per identifier) is there.
  [[nodiscard]] bool has_any(std::uint64_t mask) const { return (present_ & mask) != 0; }
  [[nodiscard]] static constexpr std::uint64_t bit(PropertyId id) { return 1ULL << static_cast<unsigned>(id); }

  /// The number, or `absent`. For the first one where several may stand.
  [[nodiscard]] std::uint32_t number(PropertyId id, std::uint32_t absent) const;
  /// Text or binary; empty when absent.
  [[nodiscard]] std::string_view text(PropertyId id) const;

  /// Calls `visit(const Property&)` for each property in order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    ByteView rest = bytes_;
    while (!rest.empty()) visit(take_validated(rest));
  }

 private:
  friend Decoded<Properties> validate_properties(ByteView block, PacketType place);
  /// Takes the first property off a validated block.
  static Property take_validated(ByteView& block);

  ByteView bytes_;
  std::uint64_t present_ = 0;
};

/// Checks every property of a block (its length field already taken off) against the table. `place` is the packet type
/// or kWillProperties.
[[nodiscard]] Decoded<Properties> validate_properties(ByteView block, PacketType place);

/// Appends properties to a buffer. The caller sees to it that the row's type is the called function's; asserted.
class PropertyWriter {
 public:
  explicit PropertyWriter(Buffer& out) : out_(out) {}
  PropertyWriter& add(PropertyId id, std::uint32_t number);
  PropertyWriter& add(PropertyId id, std::string_view text);  // text and binary
  PropertyWriter& add_user(std::string_view name, std::string_view value);
  PropertyWriter& add(const Property& property);

 private:
  Buffer& out_;
};

}  // namespace millrace::mqtt::protocol
