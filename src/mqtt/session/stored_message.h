// StoredMessage: an application message as a value of `__mqtt_retained` and `__mqtt_messages`
// (docs/formats/mqtt-records.md). Views only. Thread: pure functions.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "mqtt/session/message.h"

namespace millrace::mqtt {

inline constexpr std::string_view kRetainedTopic = "__mqtt_retained";
inline constexpr std::string_view kMessageTopic = "__mqtt_messages";

struct StoredMessage {
  std::string_view publisher;  // client id; empty: none
  std::string_view topic;
  ByteView payload;
  ByteView properties;  // a validated block, as Message has it
  std::optional<WallTime> expires_at;
  std::uint8_t qos = 0;
  bool retain = false;

  /// What is left at `now`; nullopt once expired. The expiry interval is rounded up to whole seconds.
  [[nodiscard]] std::optional<Message> at(WallTime now) const;
};

/// Appends `message`, received at `now`, to `out`.
void encode_stored(Buffer& out, const Message& message, std::string_view publisher, WallTime now);
/// Errors: corrupt (not made by encode_stored, or by a later version of it).
[[nodiscard]] Result<StoredMessage> decode_stored(ByteView bytes);

}  // namespace millrace::mqtt
