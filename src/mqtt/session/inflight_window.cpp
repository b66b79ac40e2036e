#include "mqtt/session/inflight_window.h"

#include "base/assert.h"

namespace millrace::mqtt {

void InflightWindow::push(std::uint8_t qos, FlightState state, std::unique_ptr<OutboundMessage> keep) {
  MR_ASSERT(span_ < kIdentifiers);
  if (span_ == ring_.size()) grow();
  at(span_) = {std::move(keep), state, qos};
  ++span_;
  ++in_flight_;
}

std::uint16_t InflightWindow::allot(std::uint8_t qos, FlightState state, std::unique_ptr<OutboundMessage> keep) {
  push(qos, state, std::move(keep));
  replayed_ = span_;
  ++sent_;
  return id_at(span_ - 1);
}

bool InflightWindow::restore(std::uint16_t packet_id, FlightState state, std::unique_ptr<OutboundMessage> message) {
  if (packet_id == 0 || state == FlightState::absent) return false;
  if (span_ == 0) oldest_ = packet_id - 1U;
  const std::uint32_t place = distance(packet_id);
  if (place < span_ || place >= kIdentifiers) return false;
  while (span_ < place) {
    if (span_ == ring_.size()) grow();
    at(span_++) = {};
  }
  const std::uint8_t qos = message ? message->qos : 2;
  push(qos, state, std::move(message));
  return true;
}

InflightWindow::Ended InflightWindow::acknowledge(std::uint16_t packet_id) {
  const std::uint32_t place = distance(packet_id);
  if (place >= span_ || at(place).state != FlightState::published || at(place).qos != 1) return {};
  return end(place);
}

FlightState InflightWindow::receive(std::uint16_t packet_id, bool durably) {
  const std::uint32_t place = distance(packet_id);
  if (place >= span_ || at(place).qos != 2) return FlightState::absent;
  Entry& entry = at(place);
  if (entry.state == FlightState::published) {
    entry.state = durably ? FlightState::releasing : FlightState::released;
    if (entry.kept && entry.kept->share) {
      entry.kept->message.reset();  // its place in the log is told when the flow has ended
    } else {
      entry.kept.reset();
    }
  }
  return entry.state == FlightState::reserved ? FlightState::absent : entry.state;
}

InflightWindow::Confirmed InflightWindow::confirm(std::uint16_t packet_id) {
  const std::uint32_t place = distance(packet_id);
  if (place >= span_) return {};
  Entry& entry = at(place);
  if (entry.state == FlightState::reserved) {
    entry.state = FlightState::published;
  } else if (entry.state == FlightState::releasing) {
    entry.state = FlightState::released;
  } else {
    return {};
  }
  return {entry.state, entry.qos, entry.kept.get()};
}

void InflightWindow::forget_logged_bodies() {
  for (std::uint32_t i = 0; i < span_; ++i) {
    OutboundMessage* kept = at(i).kept.get();
    if (kept != nullptr && kept->offset != kNoOffset) kept->message.reset();
  }
}

InflightWindow::Ended InflightWindow::complete(std::uint16_t packet_id, bool refused) {
  const std::uint32_t place = distance(packet_id);
  if (place >= span_ || at(place).qos != 2) return {};
  if (at(place).state != (refused ? FlightState::published : FlightState::released)) return {};
  return end(place);
}

InflightWindow::Ended InflightWindow::end(std::uint32_t place) {
  Entry& entry = at(place);
  Ended ended{true, std::move(entry.kept)};
  entry = {};
  --in_flight_;
  if (place < replayed_) --sent_;
  while (span_ != 0 && ring_[head_].state == FlightState::absent) {
    head_ = (head_ + 1) & mask();
    oldest_ = (oldest_ + 1) % kIdentifiers;
    --span_;
    if (replayed_ != 0) --replayed_;
  }
  return ended;
}

void InflightWindow::grow() {
  std::vector<Entry> larger(ring_.empty() ? 8 : ring_.size() * 2);
  for (std::uint32_t i = 0; i < span_; ++i) larger[i] = std::move(at(i));
  ring_ = std::move(larger);
  head_ = 0;
}

}  // namespace millrace::mqtt
