// PacketIdStates: what a receiver remembers of QoS 2 packet identifiers (MQTT 5.0 section 4.3.3, method B of
// figure 4.3).
//
//   absent --PUBLISH--> pending --durable--> recorded --PUBREL--> releasing --forgotten--> absent
//
// A PUBLISH with an identifier that is not absent is a repetition and is not handed on again [MQTT-4.3.3-10]. Open
// addressing with linear probing and backward-shift deletion: no allocation per message, nothing at all while no QoS 2
// is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::mqtt {

enum class DeliveryState : std::uint8_t {
  absent,
  pending,    // handed on, not yet durable: no PUBREC has been sent
  recorded,   // durable, PUBREC sent
  releasing,  // PUBREL came; PUBCOMP goes out when the forgetting is durable
};

class PacketIdStates {
 public:
  [[nodiscard]] DeliveryState get(std::uint16_t id) const;
  /// `state` must not be absent. `id` must not be 0.
  void set(std::uint16_t id, DeliveryState state);
  void erase(std::uint16_t id);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.id != 0) visit(slot.id, slot.state);
    }
  }

 private:
  struct Slot {
    std::uint16_t id = 0;  // 0: free
    DeliveryState state = DeliveryState::absent;
  };
  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t home(std::uint16_t id) const { return (id * 40'503U >> 4U) & mask(); }
  /// The slot of `id`, or the free one where it would go. Requires slots.
  [[nodiscard]] std::size_t find(std::uint16_t id) const;
  void grow();

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace millrace::mqtt
