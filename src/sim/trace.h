// Trace: what happened in a simulated run, as a hash that two runs of one seed must share, and as the last lines for
// people. Thread: the simulation's.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace millrace::sim {

class Trace {
 public:
  /// Folds an event into the hash. `what` is a literal; the numbers are whatever tells this event from another.
  void note(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    for (const char character : what) mix(static_cast<std::uint8_t>(character));
    mix(a);
    mix(b);
    mix(c);
    if (!keep_lines_) return;
    std::string line(what);
    line += ' ';
    line += std::to_string(a);
    line += ' ';
    line += std::to_string(b);
    line += ' ';
    line += std::to_string(c);
    say(std::move(line));
  }
  /// A line for people that is not part of the hash.
  void say(std::string line) {
    if (!keep_lines_) return;
    if (lines_.size() == kKeptLines) lines_.pop_front();
    lines_.push_back(std::move(line));
  }
  void keep_lines(bool keep) { keep_lines_ = keep; }
  [[nodiscard]] bool keeps_lines() const { return keep_lines_; }
  [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  static constexpr std::size_t kKeptLines = 100'000;

  void mix(std::uint64_t value) {
    hash_ ^= value + 0x9E3779B97F4A7C15ULL + (hash_ << 6U) + (hash_ >> 2U);
    hash_ *= 0xD6E8FEB86659FD93ULL;
    hash_ ^= hash_ >> 32U;
  }

  std::uint64_t hash_ = 0x6D696C6C72616365ULL;
  bool keep_lines_ = false;
  std::deque<std::string> lines_;
};

}  // namespace millrace::sim
