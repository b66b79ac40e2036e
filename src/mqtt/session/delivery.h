// Delivery: one message on its way to the subscribers of one loop. Encodes each form of its PUBLISH once (version, with
// QoS, RETAIN) and hands copies to all who take that form; a large payload is shared instead
// of copied. Thread: the loop's, for as long as the message's bytes are there.
#pragma once

#include <array>
#include <span>

#include "mqtt/protocol/packet_type.h"
#include "mqtt/session/message.h"

namespace millrace::net {
class Stream;
}

namespace millrace::mqtt {

/// How one subscriber gets it.
struct DeliveryForm {
  bool v5 = false;
  std::uint8_t qos = 0;
  bool retain = false;
  bool duplicate = false;
  std::uint16_t packet_id = 0;
  std::span<const std::uint32_t> identifiers;  // 5.0 subscription identifiers [MQTT-3.3.4-3]
  std::uint16_t alias = 0;                     // 5.0 topic alias (3.3.2.3.4); 0: none
  bool alias_known = false;                    // the client knows it: no topic is sent
};

class Delivery {
 public:
  /// Payloads from this size on are shared.
  static constexpr std::size_t kSharedPayload = 4'096;

  /// Starts with another message; buffers are kept. `shared` is its body when it has one already.
  void begin(const Message& message, SharedMessagePtr shared, std::uint32_t now_s);
  [[nodiscard]] const Message& message() const { return message_; }

  /// Bytes of the packet in this form.
  [[nodiscard]] std::size_t packet_size(const DeliveryForm& form) const;
  /// Writes the packet; leaves at the end of the turn.
  void write(net::Stream& stream, const DeliveryForm& form);
  /// The message's shared body, made when first asked for.
  [[nodiscard]] const SharedMessagePtr& share();

 private:
  struct Encoded {
    Buffer bytes;  // without the payload when that is shared
    std::size_t packet_id_at = 0;
  };
  [[nodiscard]] bool shares_payload() const { return message_.payload.size() >= kSharedPayload; }
  [[nodiscard]] std::size_t property_size(const DeliveryForm& form) const;
  [[nodiscard]] std::size_t remaining_length(const DeliveryForm& form) const;
  void encode(Buffer& out, const DeliveryForm& form, std::size_t* packet_id_at) const;

  Message message_;
  SharedMessagePtr shared_;
  SharedBytes payload_;
  std::array<Encoded, 12> encoded_;
  std::uint32_t now_s_ = 0;
};

}  // namespace millrace::mqtt
