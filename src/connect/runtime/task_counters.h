// TaskCounters: what became of the records of a task since it started. The numbers are told together, so at every look
// delivered + dead + skipped + pending = produced, or a record is lost. Written by the task, read by anyone.
#pragma once

#include <cstdint>

#include "base/guarded.h"

namespace millrace::connect {

struct TaskCounts {
  std::uint64_t produced = 0;   // sinks: offsets from the task's first to the log's end; sources: records read
  std::uint64_t delivered = 0;  // taken by the sink; sources: in the log, on disk
  std::uint64_t dead = 0;       // given up: in the ledger, and in the dead letter topic if there is one
  std::uint64_t skipped = 0;    // dropped by a transformation; no records (markers, gaps); lost to retention
  std::uint64_t pending = 0;    // not yet looked at, or under way
  std::uint64_t batches = 0;
  std::uint64_t bytes = 0;
  std::uint64_t retries = 0;
};

class TaskCounters {
 public:
  void publish(const TaskCounts& counts) {
    told_.with([&counts](TaskCounts& told) { told = counts; });
  }
  [[nodiscard]] TaskCounts read() const {
    return told_.with([](const TaskCounts& told) { return told; });
  }

 private:
  Guarded<TaskCounts> told_;
};

}  // namespace millrace::connect
