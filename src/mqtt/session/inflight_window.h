// InflightWindow: QoS 1 and 2 messages sent to a client and not yet acknowledged to their end, by packet identifier
// (MQTT 5.0 sections 2.2.1, 4.3, 4.4, 4.9).
//
//   absent --PUBLISH--> published --PUBACK, failing PUBREC--> absent                             (QoS 1; QoS 2)
//                       published --PUBREC--> released --PUBCOMP--> absent                       (QoS 2)
//
// A QoS 2 message of a persistent session is reserved until its identifier is durable, only then published; and
// releasing from PUBREC until that is durable, only then PUBREL goes out (decision 0009).
//
// Identifiers are given out in order, so the window is a ring whose index is the distance from its oldest identifier:
// allotting and acknowledging are O(1) whatever the order of the acknowledgements. The oldest unacknowledged message
// holds its place, so an identifier is never given out again while it is in flight [MQTT-2.2.1-2]. After a reconnect
// what is in flight counts against the new connection's Receive Maximum as it is sent again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "mqtt/session/outbound_message.h"

namespace millrace::mqtt {

enum class FlightState : std::uint8_t { absent, reserved, published, releasing, released };

class InflightWindow {
 public:
  static constexpr std::uint32_t kIdentifiers = 65'535;  // 1 to 65,535

  /// The peer's Receive Maximum [MQTT-3.3.4-9].
  void set_limit(std::uint32_t receive_maximum) { limit_ = receive_maximum; }
  /// Nothing new may be sent: the peer's limit is reached, or what was in flight before has not all been sent again.
  [[nodiscard]] bool full() const { return sent_ >= limit_ || replayed_ < span_ || span_ == kIdentifiers; }
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::uint32_t limit() const { return limit_; }

  /// Gives out the next identifier. `keep` is what would be sent again after a reconnect; null when nobody would.
  /// Requires !full().
  std::uint16_t allot(std::uint8_t qos, std::unique_ptr<OutboundMessage> keep) {
    return allot(qos, FlightState::published, std::move(keep));
  }
  /// The same for a message that must not be sent yet.
  std::uint16_t reserve(std::uint8_t qos, std::unique_ptr<OutboundMessage> keep) {
    return allot(qos, FlightState::reserved, std::move(keep));
  }
  /// What was reserved or releasing is durable; the state it is in now, with what was kept: published or released.
  /// absent when there is no such thing (any more).
  struct Confirmed {
    FlightState state = FlightState::absent;
    std::uint8_t qos = 0;
    const OutboundMessage* kept = nullptr;
  };
  Confirmed confirm(std::uint16_t packet_id);
  /// Puts back what was in flight before a restart, in the order of sending. Requires an empty window or an identifier
  /// behind all that are in flight; false (and nothing done) otherwise.
  bool restore(std::uint16_t packet_id, FlightState state, std::unique_ptr<OutboundMessage> message);

  struct Ended {
    bool known = false;
    std::unique_ptr<OutboundMessage> message;
  };
  /// PUBACK of a QoS 1 message.
  Ended acknowledge(std::uint16_t packet_id);
  /// PUBREC with success: the message is the client's now and is let go. The state that follows: released, or releasing
  /// when that has to be made durable (`durably`); absent when the identifier is not that of a QoS 2 message.
  FlightState receive(std::uint16_t packet_id, bool durably);
  /// PUBCOMP, or a failing PUBREC (`refused`).
  Ended complete(std::uint16_t packet_id, bool refused);

  /// A new connection: everything in flight has to be sent again.
  void rewind() { replayed_ = sent_ = 0; }
  /// Calls `visit(id, state, qos, const OutboundMessage*)` for the next of them, as far as the limit allows; false when
  /// there is none, or no room.
  template <class Visit>
  bool replay_next(Visit&& visit) {
    while (replayed_ < span_) {
      if (sent_ >= limit_) return false;
      const Entry& entry = at(replayed_);
      const std::uint16_t id = id_at(replayed_++);
      if (entry.state == FlightState::absent) continue;
      ++sent_;
      visit(id, entry.state, entry.qos, entry.kept.get());
      return true;
    }
    return false;
  }
  /// `visit(id, state, qos, const OutboundMessage*)`, oldest first.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t i = 0; i < span_; ++i) {
      const Entry& entry = ring_[(head_ + i) & mask()];
      if (entry.state != FlightState::absent) visit(id_at(i), entry.state, entry.qos, entry.kept.get());
    }
  }
  /// Bodies that the log has are let go, and read again when they are to be sent.
  void forget_logged_bodies();
  /// The identifier that comes next.
  [[nodiscard]] std::uint16_t next_id() const { return id_at(span_); }
  void set_next_id(std::uint16_t id) {
    if (span_ == 0 && id != 0) oldest_ = id - 1U;
  }

 private:
  struct Entry {
    std::unique_ptr<OutboundMessage> kept;
    FlightState state = FlightState::absent;
    std::uint8_t qos = 0;
  };
  [[nodiscard]] std::uint32_t mask() const { return static_cast<std::uint32_t>(ring_.size()) - 1; }
  [[nodiscard]] Entry& at(std::uint32_t distance) { return ring_[(head_ + distance) & mask()]; }
  [[nodiscard]] std::uint16_t id_at(std::uint32_t distance) const {
    return static_cast<std::uint16_t>((oldest_ + distance) % kIdentifiers + 1);
  }
  /// From the oldest; span_ or more when it is not in the window.
  [[nodiscard]] std::uint32_t distance(std::uint16_t packet_id) const {
    return packet_id == 0 ? span_ : (packet_id - 1U + kIdentifiers - oldest_) % kIdentifiers;
  }
  std::uint16_t allot(std::uint8_t qos, FlightState state, std::unique_ptr<OutboundMessage> keep);
  Ended end(std::uint32_t distance);
  void push(std::uint8_t qos, FlightState state, std::unique_ptr<OutboundMessage> keep);
  void grow();

  std::vector<Entry> ring_;     // a power of two, or empty
  std::uint32_t head_ = 0;      // index in ring_ of the oldest
  std::uint32_t span_ = 0;      // from the oldest to the newest, acknowledged ones between them included
  std::uint32_t replayed_ = 0;  // of the span, sent on this connection
  std::uint32_t oldest_ = 0;    // its identifier less one
  std::uint32_t in_flight_ = 0;
  std::uint32_t sent_ = 0;  // of those in flight, sent on this connection
  std::uint32_t limit_ = kIdentifiers;
};

}  // namespace millrace::mqtt
