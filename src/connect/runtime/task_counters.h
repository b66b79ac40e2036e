// TaskCounters: what became of the records of a task's lanes since it started. At every moment when no batch is under
// way, delivered + dead + skipped + pending = produced. Written by the task, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace::connect {

struct TaskCounters {
  std::atomic<std::uint64_t> produced{0};   // offsets between the task's first and the log's end
  std::atomic<std::uint64_t> delivered{0};  // taken by the sink, for good
  std::atomic<std::uint64_t> dead{0};       // rejected: in the ledger, and in the dead letter topic if there is one
  std::atomic<std::uint64_t> skipped{0};  // dropped by a transformation; no records (markers, gaps); lost to retention
  std::atomic<std::uint64_t> pending{0};  // not yet looked at, or kept by the sink
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> retries{0};
};

}  // namespace millrace::connect
