// EventLimit: how many log lines an event that others can cause may write: a burst, then so many a second; what was
// left out is counted and told with the next line.
//
//   if (const auto line = limit.take(clock.mono())) log::warn("closed", {{"left_out", line->left_out}});
//
// Thread: one owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace millrace {

class EventLimit {
 public:
  EventLimit(std::uint32_t burst, std::uint32_t per_second)
      : burst_(burst), every_(std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second) {}

  struct Line {
    std::uint64_t left_out = 0;  // since the line before
  };
  /// Nothing when this one is to be left out.
  std::optional<Line> take(MonoTime now) {
    // `full_` is when the bucket will be full again.
    full_ = std::max(full_, now) + every_;
    if (full_ - now > every_ * burst_) {
      full_ -= every_;
      ++left_out_;
      return std::nullopt;
    }
    const Line line{left_out_};
    left_out_ = 0;
    return line;
  }

 private:
  std::int64_t burst_;
  std::chrono::nanoseconds every_;
  MonoTime full_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace millrace
