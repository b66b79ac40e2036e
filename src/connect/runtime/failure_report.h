// report_failures: what becomes of records that a task gives up, in this order: copies into the archive, entries into
// the ledger, both on disk when it returns. Thread: the task's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "connect/runtime/blocking_log.h"
#include "connect/runtime/failed_record.h"
#include "connect/runtime/secret_mask.h"
#include "connect/runtime/task_host.h"

namespace millrace::connect {

/// The same failures with references in place of secrets: for every topic, log line and state they are written to.
std::vector<FailedRecord> without_secrets(std::span<const FailedRecord> failed, const SecretMask& mask);

/// `failed` is without secrets. `with_copies`: not for records that were copied when they first failed. Errors: those
/// of BlockingLog::append; timed_out.
Result<void> report_failures(TaskHost& host, BlockingLog& log, const std::string& connector,
                             std::span<const FailedRecord> failed, bool with_copies);

/// A line for each of the first ones.
void log_failures(const std::string& connector, std::span<const FailedRecord> failed);

}  // namespace millrace::connect
