// PublishProperties: what of MQTT 5.0's PUBLISH properties (section 3.3.2.3) a message of millrace's own making
// carries. Views; the owner is whoever made it. Empty texts are absent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "model/device_message.h"

namespace millrace {

struct PublishProperties {
  std::optional<bool> utf8_payload{};  // Payload Format Indicator
  std::optional<std::uint32_t> expiry_s{};
  std::string_view content_type{};
  std::string_view response_topic{};
  ByteView correlation_data{};
  std::span<const UserProperty> user_properties{};
};

}  // namespace millrace
