#include "mqtt/session/packet_id_states.h"

#include <utility>

namespace millrace::mqtt {

std::size_t PacketIdStates::find(std::uint16_t id) const {
  std::size_t at = home(id);
  while (slots_[at].id != 0 && slots_[at].id != id) at = (at + 1) & mask();
  return at;
}

DeliveryState PacketIdStates::get(std::uint16_t id) const {
  if (size_ == 0) return DeliveryState::absent;
  const Slot& slot = slots_[find(id)];
  return slot.id == id ? slot.state : DeliveryState::absent;
}

void PacketIdStates::set(std::uint16_t id, DeliveryState state) {
  if (slots_.size() < 2 * (size_ + 1)) grow();
  Slot& slot = slots_[find(id)];
  if (slot.id == 0) ++size_;
  slot = {id, state};
}

void PacketIdStates::erase(std::uint16_t id) {
  if (size_ == 0) return;
  std::size_t hole = find(id);
  if (slots_[hole].id == 0) return;
  --size_;
  // Moves back whatever probing would no longer find across the hole.
  for (std::size_t at = (hole + 1) & mask(); slots_[at].id != 0; at = (at + 1) & mask()) {
    const std::size_t from_home = (at - home(slots_[at].id)) & mask();
    if (from_home >= ((at - hole) & mask())) {
      slots_[hole] = slots_[at];
      hole = at;
    }
  }
  slots_[hole] = {};
}

void PacketIdStates::grow() {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 8 : slots_.size() * 2));
  for (const Slot& slot : old) {
    if (slot.id != 0) slots_[find(slot.id)] = slot;
  }
}

}  // namespace millrace::mqtt
