#include "mqtt/protocol/property.h"

#include <array>

#include "base/assert.h"
#include "base/byte_writer.h"
#include "mqtt/protocol/field_reader.h"
#include "mqtt/protocol/text.h"

namespace millrace::mqtt::protocol {
namespace {

constexpr PacketMask kWill = mask_of(kWillProperties);
constexpr PacketMask kConnect = mask_of(PacketType::connect);
constexpr PacketMask kConnack = mask_of(PacketType::connack);
constexpr PacketMask kPublish = mask_of(PacketType::publish);
constexpr PacketMask kPuback = mask_of(PacketType::puback);
constexpr PacketMask kPubrec = mask_of(PacketType::pubrec);
constexpr PacketMask kPubrel = mask_of(PacketType::pubrel);
constexpr PacketMask kPubcomp = mask_of(PacketType::pubcomp);
constexpr PacketMask kSubscribe = mask_of(PacketType::subscribe);
constexpr PacketMask kSuback = mask_of(PacketType::suback);
constexpr PacketMask kUnsubscribe = mask_of(PacketType::unsubscribe);
constexpr PacketMask kUnsuback = mask_of(PacketType::unsuback);
constexpr PacketMask kDisconnect = mask_of(PacketType::disconnect);
constexpr PacketMask kAuth = mask_of(PacketType::auth);
constexpr PacketMask kAcks = kPuback | kPubrec | kPubrel | kPubcomp | kSuback | kUnsuback;
constexpr PacketMask kAll =
    kWill | kConnect | kConnack | kPublish | kAcks | kSubscribe | kUnsubscribe | kDisconnect | kAuth;

using enum PropertyId;
using Type = PropertyType;
using Rule = PropertyRule;

// MQTT 5.0, table 2-4. A Subscription Identifier may repeat in a PUBLISH to a client (3.3.2.3.8), not in SUBSCRIBE
// (3.8.2.1.2).
constexpr std::array kTable{
    PropertyRow{payload_format_indicator, "payload_format_indicator", Type::byte, kPublish | kWill, 0,
                Rule::zero_or_one},
    PropertyRow{message_expiry_interval, "message_expiry_interval", Type::four_bytes, kPublish | kWill, 0, Rule::any},
    PropertyRow{content_type, "content_type", Type::text, kPublish | kWill, 0, Rule::any},
    PropertyRow{response_topic, "response_topic", Type::text, kPublish | kWill, 0, Rule::topic_name},
    PropertyRow{correlation_data, "correlation_data", Type::binary, kPublish | kWill, 0, Rule::any},
    PropertyRow{subscription_identifier, "subscription_identifier", Type::varint, kPublish | kSubscribe, kPublish,
                Rule::not_zero},
    PropertyRow{session_expiry_interval, "session_expiry_interval", Type::four_bytes, kConnect | kConnack | kDisconnect,
                0, Rule::any},
    PropertyRow{assigned_client_identifier, "assigned_client_identifier", Type::text, kConnack, 0, Rule::any},
    PropertyRow{server_keep_alive, "server_keep_alive", Type::two_bytes, kConnack, 0, Rule::any},
    PropertyRow{authentication_method, "authentication_method", Type::text, kConnect | kConnack | kAuth, 0, Rule::any},
    PropertyRow{authentication_data, "authentication_data", Type::binary, kConnect | kConnack | kAuth, 0, Rule::any},
    PropertyRow{request_problem_information, "request_problem_information", Type::byte, kConnect, 0, Rule::zero_or_one},
    PropertyRow{will_delay_interval, "will_delay_interval", Type::four_bytes, kWill, 0, Rule::any},
    PropertyRow{request_response_information, "request_response_information", Type::byte, kConnect, 0,
                Rule::zero_or_one},
    PropertyRow{response_information, "response_information", Type::text, kConnack, 0, Rule::any},
    PropertyRow{server_reference, "server_reference", Type::text, kConnack | kDisconnect, 0, Rule::any},
    PropertyRow{reason_string, "reason_string", Type::text, kConnack | kAcks | kDisconnect | kAuth, 0, Rule::any},
    PropertyRow{receive_maximum, "receive_maximum", Type::two_bytes, kConnect | kConnack, 0, Rule::not_zero},
    PropertyRow{topic_alias_maximum, "topic_alias_maximum", Type::two_bytes, kConnect | kConnack, 0, Rule::any},
    PropertyRow{topic_alias, "topic_alias", Type::two_bytes, kPublish, 0, Rule::alias},
    PropertyRow{maximum_qos, "maximum_qos", Type::byte, kConnack, 0, Rule::zero_or_one},
    PropertyRow{retain_available, "retain_available", Type::byte, kConnack, 0, Rule::zero_or_one},
    PropertyRow{user_property, "user_property", Type::text_pair, kAll, kAll, Rule::any},
    PropertyRow{maximum_packet_size, "maximum_packet_size", Type::four_bytes, kConnect | kConnack, 0, Rule::not_zero},
    PropertyRow{wildcard_subscription_available, "wildcard_subscription_available", Type::byte, kConnack, 0,
                Rule::zero_or_one},
    PropertyRow{subscription_identifier_available, "subscription_identifier_available", Type::byte, kConnack, 0,
                Rule::zero_or_one},
    PropertyRow{shared_subscription_available, "shared_subscription_available", Type::byte, kConnack, 0,
                Rule::zero_or_one},
};
static_assert(kTable.size() == 27);

constexpr std::size_t kIdentifiers = 43;  // 1 to 42
constexpr auto kRowOf = [] {
  std::array<std::uint8_t, kIdentifiers> rows{};
  rows.fill(0xFF);
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    rows[static_cast<std::size_t>(kTable[i].id)] = static_cast<std::uint8_t>(i);
  }
  return rows;
}();

// Reads one value of `type`; errors stick to the reader.
void read_value(FieldReader& in, PropertyType type, Property& into) {
  switch (type) {
    case Type::byte:
      into.number = in.u8();
      break;
    case Type::two_bytes:
      into.number = in.u16();
      break;
    case Type::four_bytes:
      into.number = in.u32();
      break;
    case Type::varint:
      into.number = in.varint();
      break;
    case Type::text:
      into.text = in.text();
      break;
    case Type::binary:
      into.text = as_text(in.binary());
      break;
    case Type::text_pair:
      into.text = in.text();
      into.value = in.text();
      break;
  }
}

Decoded<void> check_rule(const PropertyRow& row, const Property& property) {
  switch (row.rule) {
    case Rule::any:
      return {};
    case Rule::zero_or_one:
      if (property.number <= 1) return {};
      return refuse(ReasonCode::protocol_error, "property must be 0 or 1 (2.2.2.2)");
    case Rule::not_zero:
      if (property.number != 0) return {};
      return refuse(ReasonCode::protocol_error, "property must not be 0 (2.2.2.2)");
    case Rule::alias:
      if (property.number != 0) return {};
      return refuse(ReasonCode::topic_alias_invalid, "topic alias 0 [MQTT-3.3.2-8]");
    case Rule::topic_name:
      if (check_topic_name(property.text)) return {};
      return refuse(ReasonCode::protocol_error, "response topic is not a topic name [MQTT-3.3.2-14]");
  }
  return {};
}

}  // namespace

std::span<const PropertyRow> property_table() {
  return kTable;
}

const PropertyRow* find_property(std::uint32_t id) {
  if (id >= kIdentifiers || kRowOf[id] == 0xFF) return nullptr;
  return &kTable[kRowOf[id]];
}

Decoded<Properties> validate_properties(ByteView block, PacketType place) {
  Properties properties;
  properties.bytes_ = block;
  FieldReader in(block);
  while (in.remaining() != 0) {
    const PropertyRow* row = find_property(in.varint());
    if (!in.ok()) return std::unexpected(in.refusal());
    if (row == nullptr) return refuse(ReasonCode::malformed_packet, "unknown property identifier (2.2.2.2)");
    if ((row->packets & mask_of(place)) == 0) {
      return refuse(ReasonCode::malformed_packet, "property not valid for this packet (2.2.2.2)");
    }
    Property property{row->id, 0, {}, {}};
    read_value(in, row->type, property);
    if (!in.ok()) return std::unexpected(in.refusal());
    if (properties.has(row->id) && (row->repeatable_in & mask_of(place)) == 0) {
      return refuse(ReasonCode::protocol_error, "property given twice (2.2.2.2)");
    }
    if (auto checked = check_rule(*row, property); !checked) return std::unexpected(checked.error());
    properties.present_ |= Properties::bit(row->id);
  }
  return properties;
}

Property Properties::take_validated(ByteView& block) {
  FieldReader in(block, FieldReader::Trusted{});
  const PropertyRow* row = find_property(in.varint());
  MR_ASSERT(row != nullptr);
  Property property{row->id, 0, {}, {}};
  read_value(in, row->type, property);
  block = block.last(in.remaining());
  return property;
}

std::uint32_t Properties::number(PropertyId id, std::uint32_t absent) const {
  if (!has(id)) return absent;
  for (ByteView rest = bytes_; !rest.empty();) {
    if (const Property property = take_validated(rest); property.id == id) return property.number;
  }
  return absent;
}

std::string_view Properties::text(PropertyId id) const {
  if (!has(id)) return {};
  for (ByteView rest = bytes_; !rest.empty();) {
    if (const Property property = take_validated(rest); property.id == id) return property.text;
  }
  return {};
}

PropertyWriter& PropertyWriter::add(PropertyId id, std::uint32_t number) {
  const PropertyRow* row = find_property(static_cast<std::uint32_t>(id));
  MR_ASSERT(row != nullptr);
  ByteWriter out(out_);
  out.u8(static_cast<std::uint8_t>(id));
  switch (row->type) {
    case Type::byte:
      out.u8(static_cast<std::uint8_t>(number));
      break;
    case Type::two_bytes:
      out.be(static_cast<std::uint16_t>(number));
      break;
    case Type::four_bytes:
      out.be(number);
      break;
    case Type::varint:
      out.uvarint(number);
      break;
    default:
      MR_ASSERT(false);
  }
  return *this;
}

PropertyWriter& PropertyWriter::add(PropertyId id, std::string_view text) {
  const PropertyRow* row = find_property(static_cast<std::uint32_t>(id));
  MR_ASSERT(row != nullptr && (row->type == Type::text || row->type == Type::binary) && text.size() <= kMaxTextSize);
  ByteWriter out(out_);
  out.u8(static_cast<std::uint8_t>(id));
  out.be(static_cast<std::uint16_t>(text.size()));
  out.text(text);
  return *this;
}

PropertyWriter& PropertyWriter::add_user(std::string_view name, std::string_view value) {
  MR_ASSERT(name.size() <= kMaxTextSize && value.size() <= kMaxTextSize);
  ByteWriter out(out_);
  out.u8(static_cast<std::uint8_t>(user_property));
  out.be(static_cast<std::uint16_t>(name.size()));
  out.text(name);
  out.be(static_cast<std::uint16_t>(value.size()));
  out.text(value);
  return *this;
}

PropertyWriter& PropertyWriter::add(const Property& property) {
  const PropertyRow* row = find_property(static_cast<std::uint32_t>(property.id));
  MR_ASSERT(row != nullptr);
  if (row->type == Type::text_pair) return add_user(property.text, property.value);
  if (row->type == Type::text || row->type == Type::binary) return add(property.id, property.text);
  return add(property.id, property.number);
}

}  // namespace millrace::mqtt::protocol
