// FailureArchive: copies of records that were given up, so that retention may take the originals: the compacted topic
// "connect-failed-records", one record per entry of the failure ledger under the ledger's key, removed with it.
//
// The copy is made when a record fails, together with its entry: whatever ends the original later (time, size,
// DeleteRecords) needs no watching. A value is JSON ("key" and "value" in base64), readable with any Kafka tool.
//
// Thread: keep() a task's; forget() the worker's loop; the rest any.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/executor.h"
#include "connect/runtime/blocking_log.h"
#include "connect/runtime/failed_record.h"
#include "connect/runtime/failure_ledger.h"

namespace millrace::connect {

class FailureArchive {
 public:
  static constexpr std::string_view kTopic = "connect-failed-records";
  /// retention.bytes of the topic when it is made.
  static constexpr std::string_view kRetentionBytes = "1073741824";

  FailureArchive(topics::TopicLog& log, const Clock& clock, Executor& loop) : log_(log), clock_(clock), loop_(loop) {}

  /// Durable when it returns. A record that does not fit (max.message.bytes) is left out, with a log line. Errors:
  /// those of BlockingLog.
  Result<void> keep(BlockingLog& log, const std::string& connector, std::span<const FailedRecord> failed);
  /// The copy goes, if there is one.
  void forget(const LedgerKey& key);

  /// Told of copies in the order they were made; nullopt: the copy of that key was removed.
  using Visit = std::function<void(const LedgerKey& key, std::optional<std::string_view> json)>;
  /// Reads about a MiB from `next` on and moves it; false: nothing is left. Errors: those of PartitionLog::read.
  Result<bool> visit(Offset& next, const Visit& visit) const;

  /// A batch of the one record, at its old offset. nullopt: not a copy of ours.
  static std::optional<SharedBytes> batch_of(std::string_view json);

 private:
  [[nodiscard]] std::shared_ptr<topics::Partition> partition() const;
  void send_tombstones();

  topics::TopicLog& log_;
  const Clock& clock_;
  Executor& loop_;
  std::vector<LedgerKey> forgotten_;  // tombstones not sent
};

}  // namespace millrace::connect
