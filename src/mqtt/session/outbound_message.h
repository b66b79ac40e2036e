// OutboundMessage: one message that one session has still to get, or has got and not acknowledged.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/ids.h"
#include "mqtt/session/message.h"

namespace millrace::mqtt {

/// Names a shared subscription (MQTT 5.0 section 4.8.2) and the loop that hands its messages out.
struct ShareName {
  std::size_t loop = 0;
  std::string name;
  std::string filter;
};
using ShareNamePtr = std::shared_ptr<const ShareName>;

inline constexpr Offset kNoOffset{-1};

struct OutboundMessage {
  SharedMessagePtr message;
  std::vector<std::uint32_t> identifiers;
  ShareNamePtr share;         // the subscription that would give it to another member; null: none
  Offset offset = kNoOffset;  // its place in the message topic; none: in memory only
  std::uint8_t qos = 0;
  bool retain = false;
};

}  // namespace millrace::mqtt
