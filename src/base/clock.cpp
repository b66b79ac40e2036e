#include "base/clock.h"

namespace millrace {

MonoTime SystemClock::mono() const {
  return std::chrono::steady_clock::now().time_since_epoch();
}

WallTime SystemClock::wall() const {
  return std::chrono::duration_cast<WallTime>(std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace millrace
