// RetentionClock: the wall time that expiry goes by. The wall clock may jump; what it deletes does not come back.
//
//   following  --wall runs ahead of monotonic time by more than kTolerance--> doubting  (time goes on monotonically)
//   doubting   --the wall clock agrees again--> following
//   doubting   --the wall clock stays ahead for kProof--> following (the jump was right: a machine without a battery)
//
// A wall clock behind is followed at once: it only keeps things longer. At start there is nothing to compare with but
// the newest time the log itself has seen, so a machine that slept for longer than kTolerance expires nothing for
// kProof. Thread: one; a pure state machine.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace millrace::storage {

class RetentionClock {
 public:
  static constexpr std::int64_t kToleranceMs = 600'000;         // more than any slewing clock gains between two looks
  static constexpr MonoTime kProof = std::chrono::minutes(60);  // how long a jump has to last to be believed

  /// It was at least `reference_ms` at `now`: the newest wall time the log has written down, or, when it has none, the
  /// wall clock's own.
  RetentionClock(std::int64_t reference_ms, MonoTime now) : at_ms_(reference_ms), at_(now) {}

  /// What time it is for expiry. To be asked at every look.
  std::int64_t look(const Clock& clock) {
    const std::int64_t wall_ms = clock.wall().count();
    const MonoTime now = clock.mono();
    const std::int64_t expected_ms = at_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(now - at_).count();
    const bool ahead = wall_ms > expected_ms + kToleranceMs;
    if (ahead && !doubting()) doubted_since_ = now;
    if (!ahead || now - doubted_since_ >= kProof) doubted_since_ = MonoTime::max();
    at_ = now;
    at_ms_ = doubting() ? expected_ms : wall_ms;
    return at_ms_;
  }
  /// True while the wall clock is ahead of what is believed.
  [[nodiscard]] bool doubting() const { return doubted_since_ != MonoTime::max(); }

 private:
  std::int64_t at_ms_;
  MonoTime at_;
  MonoTime doubted_since_ = MonoTime::max();
};

}  // namespace millrace::storage
