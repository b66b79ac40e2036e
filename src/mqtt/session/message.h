// One application message on its way to subscribers: as views while its PUBLISH is being read, and as one shared body
// when it must outlive that (another loop, a full inflight window).
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/buffer.h"
#include "base/strong_id.h"
#include "model/publish_properties.h"
#include "mqtt/protocol/property.h"

namespace millrace::mqtt {

/// Names a connection of a server for as long as the process lives: loop, slot and the slot's generation. 0 is none.
using ConnectionId = StrongId<struct ConnectionIdTag, std::uint64_t>;

struct Message {
  std::string_view topic;
  ByteView payload;
  /// 5.0 properties that travel to subscribers unaltered [MQTT-3.3.2-4, -15, -16, -17, -20]: all but topic alias and
  /// expiry.
  ByteView properties;
  std::optional<std::uint32_t> expiry_s;
  ConnectionId publisher;  // for No Local; none for wills and republished messages
  std::uint8_t qos = 0;
  bool retain = false;
};

/// Owns a copy of a message's bytes. Immutable; any thread.
class SharedMessage {
 public:
  /// `now_s`: the loop's seconds, from which an expiry interval counts.
  SharedMessage(const Message& message, std::uint32_t now_s);
  SharedMessage(const SharedMessage&) = delete;
  SharedMessage& operator=(const SharedMessage&) = delete;

  [[nodiscard]] const Message& message() const { return message_; }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }
  /// The message as it is to be sent at `now_s`, with what is left of its expiry interval [MQTT-3.3.2-6]; nullopt once
  /// expired.
  [[nodiscard]] std::optional<Message> at(std::uint32_t now_s) const;

 private:
  Buffer bytes_;
  Message message_;
  std::uint32_t received_s_;
};
using SharedMessagePtr = std::shared_ptr<const SharedMessage>;

/// The properties of a PUBLISH or a will that go on to subscribers. Views `properties` when they can go as they are,
/// else `scratch`.
[[nodiscard]] ByteView forwardable(const protocol::Properties& properties, Buffer& scratch);

/// Appends all of them but the expiry, which a Message keeps apart.
void add_properties(const PublishProperties& properties, Buffer& out);

}  // namespace millrace::mqtt
