// InflightWindow: packet identifiers of QoS 1 messages sent and not yet acknowledged (MQTT 5.0
// sections 2.2.1, 4.4, 4.9).
//
// Identifiers are given out in order, so the window is a ring whose index is the distance from its oldest identifier:
// allotting and acknowledging are O(1) whatever the order of the acknowledgements. The oldest unacknowledged message
// holds its place, so an identifier is never given out again while it is in flight [MQTT-2.2.1-2].
#pragma once

#include <cstdint>
#include <vector>

#include "mqtt/session/message.h"

namespace millrace::mqtt {

class InflightWindow {
 public:
  static constexpr std::uint32_t kIdentifiers = 65'535;  // 1 to 65,535

  /// The peer's Receive Maximum [MQTT-3.3.4-7].
  void set_limit(std::uint32_t receive_maximum) { limit_ = receive_maximum; }
  [[nodiscard]] bool full() const { return in_flight_ >= limit_ || span_ == kIdentifiers; }
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }

  /// Gives out the next identifier. `keep` is what would be sent again after a reconnect; null when the session ends
  /// with its connection. Requires !full().
  std::uint16_t allot(SharedMessagePtr keep);
  /// False when `packet_id` is not in flight.
  bool acknowledge(std::uint16_t packet_id);

  /// What is in flight, oldest first, with its message (null where none was kept).
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t i = 0; i < span_; ++i) {
      const Entry& entry = ring_[(head_ + i) & mask()];
      if (entry.in_flight) visit(id_at(i), entry.message);
    }
  }

 private:
  struct Entry {
    SharedMessagePtr message;
    bool in_flight = false;
  };
  [[nodiscard]] std::uint32_t mask() const { return static_cast<std::uint32_t>(ring_.size()) - 1; }
  [[nodiscard]] std::uint16_t id_at(std::uint32_t distance) const {
    return static_cast<std::uint16_t>((oldest_ + distance) % kIdentifiers + 1);
  }
  void grow();

  std::vector<Entry> ring_;   // a power of two, or empty
  std::uint32_t head_ = 0;    // index in ring_ of the oldest
  std::uint32_t span_ = 0;    // from the oldest to the newest, acknowledged ones between them included
  std::uint32_t oldest_ = 0;  // its identifier less one
  std::uint32_t in_flight_ = 0;
  std::uint32_t limit_ = kIdentifiers;
};

}  // namespace millrace::mqtt
