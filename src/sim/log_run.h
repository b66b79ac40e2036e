// LogRun: one seed. A log lives several lives on a disk that forgets; its threads are interleaved at every disk
// operation; power cuts, process deaths, failing syncs and full disks come at random places, recovery included; after
// every recovery the whole log is held against what was promised.
//
//   run_log(7, {}).violation     nullopt, or the first promise that was broken
//
// Thread: makes its own, one running at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "sim/log_world.h"
#include "storage/seeded_bugs.h"

namespace millrace::sim {

struct LogRunOptions {
  storage::SeededBugs bugs;
  bool keep_lines = false;  // for people; the hash is kept always
};

struct LogRunResult {
  std::optional<std::string> violation;
  std::uint64_t trace_hash = 0;
  LogRunCounts counts;
  std::deque<std::string> lines;
};

LogRunResult run_log(std::uint64_t seed, const LogRunOptions& options);

}  // namespace millrace::sim
