// OutboundMessage: one message that one session has still to get, or has got and not acknowledged.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "mqtt/session/message.h"

namespace millrace::mqtt {

/// Names a shared subscription (MQTT 5.0 section 4.8.2). Immutable.
struct ShareName {
  ShareName(std::string_view share_name, std::string_view topic_filter)
      : name(share_name),
        filter(topic_filter),
        key(name + '/' + filter),
        hash(std::hash<std::string_view>{}(topic_filter) * 31 + std::hash<std::string_view>{}(share_name)) {}
  const std::string name;
  const std::string filter;
  const std::string key;   // "<name>/<filter>": a name has no slash [MQTT-4.8.2-2]
  const std::size_t hash;  // decides which loop hands its messages out
};
using ShareNamePtr = std::shared_ptr<const ShareName>;

inline constexpr Offset kNoOffset{-1};

struct OutboundMessage {
  SharedMessagePtr message;  // null: to be read from the message topic
  std::vector<std::uint32_t> identifiers;
  ShareNamePtr share;         // the subscription that would give it to another member; null: none
  Offset offset = kNoOffset;  // its place in the message topic; none: in memory only
  std::uint8_t qos = 0;
  bool retain = false;
  /// A shared subscription that is fed from the log waits to hear what became of it.
  [[nodiscard]] bool is_reported() const { return share != nullptr && offset != kNoOffset; }
};

}  // namespace millrace::mqtt
