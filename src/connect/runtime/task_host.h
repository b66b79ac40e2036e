// TaskHost: what all tasks of the worker share. Everything in it outlives them.
#pragma once

#include <chrono>

#include "connect/runtime/failure_archive.h"
#include "connect/runtime/failure_ledger.h"
#include "connect/runtime/memory_budget.h"
#include "connect/runtime/source_offsets.h"
#include "connect/runtime/surroundings.h"
#include "topics/offset_store.h"
#include "topics/topic_log.h"

namespace millrace::connect {

struct TaskHost {
  topics::TopicLog& log;
  topics::OffsetStore& offsets;
  FailureLedger& failures;
  MemoryBudget& memory;
  const Surroundings& surroundings;
  std::chrono::milliseconds bookmark_interval{1000};
  FailureArchive* archive = nullptr;        // null: failed records are not copied
  SourceOffsets* source_offsets = nullptr;  // of source tasks
};

}  // namespace millrace::connect
