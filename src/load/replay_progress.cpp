#include "load/replay_progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "load/report.h"

namespace millrace::load {
namespace {

constexpr double kLineEvery = 5;
constexpr std::size_t kBarCells = 24;

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100U;
}

}  // namespace

std::string human_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string ReplayProgress::text(const ReplayState& state, std::size_t columns) {
  const std::uint64_t done = state.acknowledged + state.refused;
  if (const double passed = state.seconds - rate_at_; passed >= 0.5) {
    const double now = static_cast<double>(done - rate_done_) / passed;
    rate_ = rate_at_ == 0 ? now : 0.7 * rate_ + 0.3 * now;
    rate_at_ = state.seconds;
    rate_done_ = done;
  }
  const double share = messages_ == 0 ? 1 : static_cast<double>(done) / static_cast<double>(messages_);
  const auto cells = static_cast<std::size_t>(share * kBarCells);
  std::string text =
      fmt::format("[{}{}] {:3.0f} %  {} of {}  {} msg/s", std::string(cells, '#'), std::string(kBarCells - cells, '.'),
                  share * 100 - (share < 1 ? 0.5 : 0), with_commas(static_cast<double>(done)),
                  with_commas(static_cast<double>(messages_)), with_commas(rate_));
  if (rate_ > 0 && done < messages_) {
    text += fmt::format("  {} left", human_seconds(static_cast<double>(messages_ - done) / rate_));
  }
  if (state.connected < devices_) text += fmt::format("  {} of {} devices connected", state.connected, devices_);
  if (state.resent > 0) text += fmt::format("  {} sent again", with_commas(static_cast<double>(state.resent)));
  if (text.size() > columns) text.resize(columns);
  return text;
}

void ReplayProgress::show(const ReplayState& state) {
  if (kind_ == Kind::silent) return;
  if (kind_ == Kind::bar) {
    const std::size_t columns = terminal_columns() - 1;
    fmt::print(stderr, "\r{:<{}}", text(state, columns), columns);
    std::fflush(stderr);
    return;
  }
  if (state.seconds < next_line_) return;
  if (next_line_ > 0) fmt::print(stderr, "{}\n", text(state, 200));
  next_line_ = state.seconds + kLineEvery;
}

void ReplayProgress::clear() {
  if (kind_ != Kind::bar) return;
  fmt::print(stderr, "\r{:<{}}\r", "", terminal_columns() - 1);
  std::fflush(stderr);
}

}  // namespace millrace::load
