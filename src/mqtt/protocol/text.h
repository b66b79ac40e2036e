// Character data of MQTT: UTF-8 encoded strings (5.0 section 1.5.4), topic names and topic filters (section 4.7).
//
// Thread: pure functions. Nothing here looks at lengths: the wire form bounds a string to 65,535 bytes.
#pragma once

#include <string_view>

#include "mqtt/protocol/reason_code.h"

namespace millrace::mqtt::protocol {

/// Well-formed UTF-8 without surrogates, over-long forms and U+0000 [MQTT-1.5.4-1, -2]. U+FEFF is an ordinary character
/// [-3].
[[nodiscard]] bool is_utf8_string(std::string_view text);

/// A topic name as PUBLISH carries it: a UTF-8 string of at least one character, no '+' and no '#'
/// [MQTT-4.7.1-1, 4.7.3-1]. The reason is malformed_packet for bad UTF-8, else topic_name_invalid.
[[nodiscard]] Decoded<void> check_topic_name(std::string_view name);

/// The parts of a topic filter. `share_name` is empty for an ordinary subscription.
struct FilterParts {
  std::string_view share_name;
  std::string_view filter;  // without "$share/<name>/"
};

/// Checks the places of '#' [MQTT-4.7.1-1] and '+' [MQTT-4.7.1-2], and for "$share/…" the share name and that a filter
/// follows [MQTT-4.8.2-1, -2]. `filter` is already known to be a UTF-8 string. The reason is topic_filter_invalid.
[[nodiscard]] Decoded<FilterParts> parse_topic_filter(std::string_view filter);

/// Whether a valid filter (without "$share/…") matches a topic name (4.7). A filter that starts with a wildcard does
/// not match a topic that starts with '$' [MQTT-4.7.2-1].
[[nodiscard]] bool matches_filter(std::string_view filter, std::string_view topic);

}  // namespace millrace::mqtt::protocol
