// What the operating system knows about this process, asked at every exposition: CPU time, memory, descriptors, start,
// and which build it is. Thread: any.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "metrics/registry.h"

namespace millrace::metrics {

struct ProcessUsage {
  double cpu_seconds = 0;  // user and system
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
};
ProcessUsage process_usage();

struct BuildIdentity {
  std::string version;
  std::string commit;  // empty: not known
};

/// millrace_process_{cpu_seconds_total, resident_bytes, open_fds, max_fds, start_time_seconds} and millrace_build_info.
/// `clock` tells the start, now.
void register_process_metrics(Registry& registry, const Clock& clock, const BuildIdentity& build);

}  // namespace millrace::metrics
