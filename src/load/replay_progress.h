// ReplayProgress: a bar on a terminal, a plain line every five seconds elsewhere. Writes to standard error, so that
// standard output holds the summary only. Thread: the replay's.
#pragma once

#include <cstdint>
#include <string>

#include "load/replay_fleet.h"

namespace millrace::load {

/// Seconds as "1 h 02 min", "3 min 07 s", "4.2 s".
[[nodiscard]] std::string human_seconds(double seconds);

class ReplayProgress {
 public:
  enum class Kind : std::uint8_t { bar, lines, silent };
  ReplayProgress(Kind kind, std::uint64_t messages, std::size_t devices)
      : kind_(kind), messages_(messages), devices_(devices) {}

  void show(const ReplayState& state);
  /// Removes the bar.
  void clear();
  /// "[#####.....]  50 %  1,057 of 2,115  …", at most `columns` wide.
  [[nodiscard]] std::string text(const ReplayState& state, std::size_t columns);

 private:
  Kind kind_;
  std::uint64_t messages_;
  std::size_t devices_;
  double next_line_ = 0;
  double rate_ = 0;  // messages per second, smoothed
  double rate_at_ = 0;
  std::uint64_t rate_done_ = 0;
};

}  // namespace millrace::load
