// Poller: epoll with nanosecond timeouts, edge-triggered for reading and writing. Thread: one owner.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace millrace::load {

class Poller {
 public:
  struct Event {
    std::uint32_t id;
    bool readable;  // bytes, end of stream or an error wait
    bool writable;
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Result<void> add(int fd, std::uint32_t id);
  /// Sleeps at most `timeout_ns`; 0 only looks. The events stay valid until the next call.
  [[nodiscard]] std::span<const Event> wait(std::uint64_t timeout_ns);

 private:
  static constexpr std::size_t kBatch = 512;
  int fd_;
  bool coarse_ = false;  // kernel without epoll_pwait2 (before 5.11)
  std::array<epoll_event, kBatch> raw_{};
  std::array<Event, kBatch> events_{};
};

}  // namespace millrace::load
