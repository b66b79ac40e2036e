// What processes use, from /proc: CPU time (10 ms steps), resident memory, bytes written to the disk. Linux only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace millrace::load {

struct ProcessUse {
  double user_seconds = 0;
  double system_seconds = 0;
  double rss_mib = 0;       // VmRSS now
  double rss_peak_mib = 0;  // VmHWM
  double written_mb = 0;    // 10^6 bytes sent to the storage layer; 0 when /proc does not let us read it
  std::int64_t threads = 0;

  [[nodiscard]] double cpu_seconds() const { return user_seconds + system_seconds; }
};

/// Sum over `pids` (empty: all zero). Error: not_found with the pid.
Result<ProcessUse> sample_processes(const std::vector<int>& pids);

/// CPU seconds of this process, in microsecond steps.
[[nodiscard]] double own_cpu_seconds();

/// Binds this thread to one core. Error: invalid_argument.
Result<void> pin_to_core(int core);

/// Raises the limit of open files to the hard limit and asks for exact timers.
void prepare_process();

/// CLOCK_MONOTONIC in nanoseconds.
[[nodiscard]] std::uint64_t now_ns();

}  // namespace millrace::load
