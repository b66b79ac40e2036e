// Clock: the only source of time. Logic never calls the operating system's clock; tests and the simulator inject a
// virtual one.
//
// Monotonic time is for every timeout and interval; wall time is for what people and records see.
#pragma once

#include <chrono>
#include <cstdint>

namespace millrace {

using MonoTime = std::chrono::nanoseconds;   // since an arbitrary start; never goes back
using WallTime = std::chrono::milliseconds;  // since 1970-01-01T00:00:00Z; may jump

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonoTime mono() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

/// The operating system's clocks. Thread: any.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] MonoTime mono() const override;
  [[nodiscard]] WallTime wall() const override;
};

/// Stands still until told otherwise. Thread: the test's.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] MonoTime mono() const override { return mono_; }
  [[nodiscard]] WallTime wall() const override { return wall_; }
  void advance(std::chrono::nanoseconds by) {
    mono_ += by;
    wall_ += std::chrono::duration_cast<WallTime>(mono_ - wall_base_mono_);
    wall_base_mono_ = mono_;
  }
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  MonoTime mono_{1};
  MonoTime wall_base_mono_{1};
  WallTime wall_{1'700'000'000'000};
};

}  // namespace millrace
