// VirtualClock: time that moves only when the simulation says so. The wall clock may jump in both directions; monotonic
// time never goes back. Thread: the simulation's.
#pragma once

#include "base/clock.h"

namespace millrace::sim {

class VirtualClock final : public Clock {
 public:
  [[nodiscard]] MonoTime mono() const override { return mono_; }
  [[nodiscard]] WallTime wall() const override { return std::chrono::duration_cast<WallTime>(mono_) + wall_offset_; }
  void advance(MonoTime by) { mono_ += by; }
  /// Moves to `when`; earlier moments are ignored.
  void advance_to(MonoTime when) {
    if (when > mono_) mono_ = when;
  }
  /// What an operator or NTP does to the wall clock.
  void jump_wall(WallTime by) { wall_offset_ += by; }

 private:
  MonoTime mono_{std::chrono::seconds(1)};
  WallTime wall_offset_{1'700'000'000'000};
};

}  // namespace millrace::sim
