// ConnectionTable: the connections of one loop by slot. An id carries the slot's generation, so an id of a connection
// that is gone finds nothing, ever. Thread: the loop's.
//
//   id:  loop 8 bits | generation 32 bits | slot 24 bits
#pragma once

#include <memory>
#include <vector>

#include "mqtt/session/message.h"

namespace millrace::mqtt {

[[nodiscard]] constexpr std::size_t loop_of(ConnectionId id) {
  return static_cast<std::size_t>(id.value() >> 56U);
}

template <class T>
class ConnectionTable {
 public:
  explicit ConnectionTable(std::size_t loop) : loop_(loop) {}

  /// Makes a T from (id, arguments...).
  template <class... Arguments>
  T& emplace(Arguments&&... arguments) {
    std::size_t slot = slots_.size();
    if (free_.empty()) {
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    Slot& place = slots_[slot];
    const ConnectionId id{static_cast<std::uint64_t>(loop_) << 56U |
                          static_cast<std::uint64_t>(place.generation) << 24U | slot};
    place.item = std::make_unique<T>(id, std::forward<Arguments>(arguments)...);
    ++size_;
    return *place.item;
  }
  /// nullptr when it is gone.
  [[nodiscard]] T* find(ConnectionId id) const {
    const std::size_t slot = id.value() & 0xFFFFFFU;
    const auto generation = static_cast<std::uint32_t>(id.value() >> 24U);
    if (slot >= slots_.size() || slots_[slot].generation != generation) return nullptr;
    return slots_[slot].item.get();
  }
  void erase(ConnectionId id) {
    if (find(id) == nullptr) return;
    const std::size_t slot = id.value() & 0xFFFFFFU;
    const std::unique_ptr<T> item = std::move(slots_[slot].item);  // out of the table before its destructor runs
    ++slots_[slot].generation;
    free_.push_back(static_cast<std::uint32_t>(slot));
    --size_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// `visit(T&)` may erase.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].item) visit(*slots_[i].item);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<T> item;
    std::uint32_t generation = 1;
  };
  std::size_t loop_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace millrace::mqtt
