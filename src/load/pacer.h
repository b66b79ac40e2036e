// Pacer: when message k of an open-loop run is due. Every due time is computed from the start, never from the previous
// message, so rounding does not add up and a late turn does not shift what comes after it: a stall of the server is
// charged to every message that was due meanwhile.
//
// Message k belongs to sender k mod senders; `k` counts from 0. Thread: any (immutable).
#pragma once

#include <cstdint>

namespace millrace::load {

class Pacer {
 public:
  Pacer() = default;
  /// `per_second` > 0; `start_ns` is when message 0 is due.
  Pacer(double per_second, std::uint64_t start_ns) : step_ns_(1e9 / per_second), start_ns_(start_ns) {}

  [[nodiscard]] std::uint64_t due(std::uint64_t k) const {
    return start_ns_ + static_cast<std::uint64_t>(static_cast<double>(k) * step_ns_);
  }
  /// How many messages are due at `now_ns`: the smallest k with due(k) > now_ns.
  [[nodiscard]] std::uint64_t count_due(std::uint64_t now_ns) const {
    if (now_ns < start_ns_) return 0;
    auto k = static_cast<std::uint64_t>(static_cast<double>(now_ns - start_ns_) / step_ns_);
    while (due(k) <= now_ns) ++k;
    while (k > 0 && due(k - 1) > now_ns) --k;
    return k;
  }

  /// Of the first `total` messages, how many belong to `sender`.
  [[nodiscard]] static constexpr std::uint64_t share_of(std::uint64_t total, std::uint64_t sender,
                                                        std::uint64_t senders) {
    return (total + senders - 1 - sender) / senders;
  }
  /// Index k of the sender's own message number `own` (from 0).
  [[nodiscard]] static constexpr std::uint64_t index_of(std::uint64_t own, std::uint64_t sender,
                                                        std::uint64_t senders) {
    return own * senders + sender;
  }

 private:
  double step_ns_ = 1e9;
  std::uint64_t start_ns_ = 0;
};

}  // namespace millrace::load
