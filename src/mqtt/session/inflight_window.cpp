#include "mqtt/session/inflight_window.h"

#include "base/assert.h"

namespace millrace::mqtt {

std::uint16_t InflightWindow::allot(SharedMessagePtr keep) {
  MR_ASSERT(span_ < kIdentifiers);
  if (span_ == ring_.size()) grow();
  ring_[(head_ + span_) & mask()] = {std::move(keep), true};
  const std::uint16_t id = id_at(span_);
  ++span_;
  ++in_flight_;
  return id;
}

bool InflightWindow::acknowledge(std::uint16_t packet_id) {
  const std::uint32_t distance = (packet_id - 1U + kIdentifiers - oldest_) % kIdentifiers;
  if (packet_id == 0 || distance >= span_) return false;
  Entry& entry = ring_[(head_ + distance) & mask()];
  if (!entry.in_flight) return false;
  entry = {};
  --in_flight_;
  while (span_ != 0 && !ring_[head_].in_flight) {
    head_ = (head_ + 1) & mask();
    oldest_ = (oldest_ + 1) % kIdentifiers;
    --span_;
  }
  return true;
}

void InflightWindow::grow() {
  std::vector<Entry> larger(ring_.empty() ? 8 : ring_.size() * 2);
  for (std::uint32_t i = 0; i < span_; ++i) larger[i] = std::move(ring_[(head_ + i) & mask()]);
  ring_ = std::move(larger);
  head_ = 0;
}

}  // namespace millrace::mqtt
