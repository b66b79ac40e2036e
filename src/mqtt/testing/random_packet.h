// Random but valid control packets, for round-trip tests. The same seed makes the same packets.
#pragma once

#include <deque>
#include <string>

#include "base/rng.h"
#include "mqtt/protocol/packet.h"

namespace millrace::mqtt::testing {

class RandomPackets {
 public:
  explicit RandomPackets(std::uint64_t seed) : rng_(seed) {}

  /// Views stay valid until the next call.
  protocol::Packet next(protocol::Version version) {
    strings_.clear();
    blocks_.clear();
    v5_ = version == protocol::Version::v5;
    switch (rng_.below(v5_ ? 15 : 14)) {
      case 0:
        return connect(version);
      case 1:
        return connack();
      case 2:
      case 3:
        return publish();
      case 4:
        return ack(protocol::PacketType::puback);
      case 5:
        return ack(protocol::PacketType::pubrec);
      case 6:
        return ack(protocol::PacketType::pubrel);
      case 7:
        return ack(protocol::PacketType::pubcomp);
      case 8:
        return subscribe();
      case 9:
        return subscription_ack(protocol::PacketType::suback);
      case 10:
        return unsubscribe();
      case 11:
        return subscription_ack(protocol::PacketType::unsuback);
      case 12:
        if (rng_.chance(1, 2)) return protocol::Pingreq{};
        return protocol::Pingresp{};
      case 13:
        return disconnect();
      default:
        return auth();
    }
  }

 private:
  using PacketType = protocol::PacketType;
  using PropertyId = protocol::PropertyId;
  using ReasonCode = protocol::ReasonCode;

  std::string_view text(std::size_t longest = 40) {
    static constexpr std::string_view kPieces[] = {
        "a", "Z", "/", "0", " ", "é", "한", "\xF0\x9F\x9A\x97", "\xEF\xBB\xBF", "\x01"};
    std::string& out = strings_.emplace_back();
    const std::size_t pieces = rng_.below(longest + 1);
    for (std::size_t i = 0; i < pieces; ++i) out += kPieces[rng_.below(std::size(kPieces))];
    return out;
  }
  std::string_view topic() {
    std::string& out = strings_.emplace_back(text(20));
    return out += "/t";
  }
  ByteView binary(std::size_t longest = 300) {
    std::string& out = strings_.emplace_back();
    const std::size_t size = rng_.below(longest + 1);
    for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(rng_());
    return as_bytes(out);
  }
  std::uint16_t packet_id() { return static_cast<std::uint16_t>(rng_.between(1, 65'535)); }

  protocol::Properties properties(PacketType place) {
    if (!v5_ || rng_.chance(1, 3)) return {};
    Buffer& block = blocks_.emplace_back();
    protocol::PropertyWriter writer(block);
    for (const protocol::PropertyRow& row : protocol::property_table()) {
      if ((row.packets & protocol::mask_of(place)) == 0) continue;
      const std::size_t times = rng_.below((row.repeatable_in & protocol::mask_of(place)) != 0 ? 4 : 2);
      for (std::size_t i = 0; i < times; ++i) add(writer, row);
    }
    return protocol::validate_properties(block.view(), place).value();
  }
  void add(protocol::PropertyWriter& writer, const protocol::PropertyRow& row) {
    const auto number = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(rng_.below(bound - 1)) + 1; };
    switch (row.type) {
      case protocol::PropertyType::byte:
        writer.add(row.id, static_cast<std::uint32_t>(rng_.below(2)));
        break;
      case protocol::PropertyType::two_bytes:
        writer.add(row.id, number(65'536));
        break;
      case protocol::PropertyType::four_bytes:
        writer.add(row.id, number(0xFFFFFFFF));
        break;
      case protocol::PropertyType::varint:
        writer.add(row.id, number(268'435'456));
        break;
      case protocol::PropertyType::text:
        writer.add(row.id, row.rule == protocol::PropertyRule::topic_name ? topic() : text());
        break;
      case protocol::PropertyType::binary:
        writer.add(row.id, as_text(binary()));
        break;
      case protocol::PropertyType::text_pair:
        writer.add_user(text(), text());
        break;
    }
  }
  ReasonCode reason(PacketType type) {
    if (!v5_) return ReasonCode::success;
    for (;;) {
      const auto code = static_cast<ReasonCode>(rng_.below(256));
      if (protocol::is_allowed(code, type)) return code;
    }
  }

  protocol::Connect connect(protocol::Version version) {
    protocol::Connect packet;
    packet.version = version;
    packet.clean_start = rng_.chance(1, 2);
    packet.keep_alive_s = static_cast<std::uint16_t>(rng_());
    packet.client_id = text();
    packet.properties = properties(PacketType::connect);
    if (packet.properties.has(PropertyId::authentication_data) &&
        !packet.properties.has(PropertyId::authentication_method)) {
      packet.properties = {};
    }
    if (rng_.chance(1, 2)) {
      packet.will = protocol::Will{topic(), binary(), static_cast<std::uint8_t>(rng_.below(3)), rng_.chance(1, 2),
                                   properties(protocol::kWillProperties)};
    }
    if (rng_.chance(1, 2)) packet.username = text();
    if (rng_.chance(1, 2) && (v5_ || packet.username)) packet.password = binary();
    return packet;
  }
  protocol::Connack connack() {
    protocol::Connack packet;
    packet.reason = v5_ ? reason(PacketType::connack) : ReasonCode::success;
    packet.session_present = rng_.chance(1, 2) && packet.reason == ReasonCode::success;
    packet.properties = properties(PacketType::connack);
    return packet;
  }
  protocol::Publish publish() {
    protocol::Publish packet;
    packet.qos = static_cast<std::uint8_t>(rng_.below(3));
    packet.packet_id = packet.qos != 0 ? packet_id() : std::uint16_t{0};
    packet.duplicate = packet.qos != 0 && rng_.chance(1, 2);
    packet.retain = rng_.chance(1, 2);
    packet.properties = properties(PacketType::publish);
    const bool aliased = packet.properties.has(PropertyId::topic_alias);
    packet.topic = aliased && rng_.chance(1, 2) ? std::string_view{} : topic();
    packet.payload = binary(2'000);
    return packet;
  }
  protocol::PublishAck ack(PacketType type) {
    return protocol::PublishAck{type, packet_id(), reason(type), properties(type)};
  }
  protocol::Subscribe subscribe() {
    protocol::Subscribe packet{packet_id(), {}, properties(PacketType::subscribe)};
    const std::size_t count = 1 + rng_.below(5);
    for (std::size_t i = 0; i < count; ++i) {
      protocol::SubscribeEntry entry{text(), {static_cast<std::uint8_t>(rng_.below(3)), false, false, {}}};
      if (v5_) {
        entry.options.no_local = rng_.chance(1, 2) && !entry.filter.starts_with("$share/");
        entry.options.retain_as_published = rng_.chance(1, 2);
        entry.options.retain_handling = static_cast<protocol::RetainHandling>(rng_.below(3));
      }
      packet.entries.push_back(entry);
    }
    return packet;
  }
  protocol::Unsubscribe unsubscribe() {
    protocol::Unsubscribe packet{packet_id(), {}, properties(PacketType::unsubscribe)};
    const std::size_t count = 1 + rng_.below(5);
    for (std::size_t i = 0; i < count; ++i) packet.filters.push_back(text());
    return packet;
  }
  protocol::SubscriptionAck subscription_ack(PacketType type) {
    protocol::SubscriptionAck packet{type, packet_id(), {}, properties(type)};
    if (!v5_ && type == PacketType::unsuback) return packet;
    const std::size_t count = 1 + rng_.below(5);
    for (std::size_t i = 0; i < count; ++i) packet.reasons.push_back(reason(type));
    return packet;
  }
  protocol::Disconnect disconnect() { return {reason(PacketType::disconnect), properties(PacketType::disconnect)}; }
  protocol::Auth auth() {
    protocol::Auth packet{reason(PacketType::auth), properties(PacketType::auth)};
    if (!packet.properties.has(PropertyId::authentication_method)) packet = {};
    return packet;
  }

  Rng rng_;
  bool v5_ = true;
  std::deque<std::string> strings_;
  std::deque<Buffer> blocks_;
};

}  // namespace millrace::mqtt::testing
