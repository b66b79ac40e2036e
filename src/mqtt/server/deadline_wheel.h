// DeadlineWheel: which connections to look at in which second. A connection that was active meanwhile has a later
// deadline by then and is put back, so activity itself costs nothing here. Thread: the loop's.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "mqtt/session/message.h"

namespace millrace::mqtt {

class DeadlineWheel {
 public:
  static constexpr std::uint32_t kSlots = 1'024;

  /// `at_s` may lie further away than the wheel reaches: it is then looked at on the way.
  void add(ConnectionId id, std::uint32_t at_s, std::uint32_t now_s) {
    const std::uint32_t ahead = at_s <= now_s ? 1 : std::min(at_s - now_s, kSlots - 1);
    slots_[(now_s + ahead) % kSlots].push_back({id, at_s});
  }
  /// Calls `visit(id, at_s)` for what was added for `now_s`. To be called for every second in turn. `visit` may add.
  template <class Visit>
  void turn(std::uint32_t now_s, Visit&& visit) {
    const std::vector<Entry> due = std::exchange(slots_[now_s % kSlots], {});
    for (const Entry& entry : due) visit(entry.id, entry.at_s);
  }

 private:
  struct Entry {
    ConnectionId id;
    std::uint32_t at_s;
  };
  std::array<std::vector<Entry>, kSlots> slots_;
};

}  // namespace millrace::mqtt
