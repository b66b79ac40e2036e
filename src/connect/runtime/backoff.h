// Backoff: how long to wait before the next attempt: doubling, with jitter, up to a cap. Full jitter as in Connect's
// RetryUtil: uniform between half and the whole of the step. Pure. Thread: one owner.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/rng.h"

namespace millrace::connect {

class Backoff {
 public:
  using Ms = std::chrono::milliseconds;
  Backoff(Ms first, Ms cap) : first_(std::max(first, Ms(1))), cap_(std::max(cap, first)) {}

  /// The wait before the next attempt; at least what the other side `asked` for (Retry-After), up to the cap.
  Ms next(Rng& rng, std::optional<Ms> asked = std::nullopt) {
    const auto step = attempts_ < 40 ? std::min(cap_.count(), first_.count() << std::min(attempts_, 20)) : cap_.count();
    ++attempts_;
    const Ms wait(rng.between(std::max<std::int64_t>(step / 2, 1), std::max<std::int64_t>(step, 1)));
    return asked ? std::max(wait, std::min(*asked, cap_)) : wait;
  }
  void reset() { attempts_ = 0; }
  [[nodiscard]] int attempts() const { return attempts_; }

 private:
  Ms first_;
  Ms cap_;
  int attempts_ = 0;
};

}  // namespace millrace::connect
