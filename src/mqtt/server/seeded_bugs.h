// SeededBug: deliberate mistakes that the tests of persistent sessions must find. None outside tests; each is one `if` at
// the place where the mistake would be made.
#pragma once

#include <cstdint>

namespace millrace::mqtt {

enum class SeededBug : std::uint8_t {
  none,
  send_before_recording,     // a QoS 2 PUBLISH leaves before its packet identifier is durable
  release_before_recording,  // a PUBREL leaves before the PUBREC it answers is durable
  move_without_catching_up,  // a session that moves to another loop misses what that loop has passed already
};

}  // namespace millrace::mqtt
