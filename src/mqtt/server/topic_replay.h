// Reads an internal topic from its start, record by record: what the log remembers for a server that starts.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/record_reader.h"
#include "topics/topic_log.h"

namespace millrace::mqtt {

/// Calls `visit(const ReadRecord&) -> Result<void>` for each record of `partition` from `from` (or its start) to what
/// is synced, in order. Blocks; for start-up. Errors: those of reading (corrupt, io_error), and those of `visit`.
template <class Visit>
Result<void> replay_partition(topics::Partition& partition, Offset from, Visit&& visit) {
  constexpr std::size_t kReadBytes = 1'048'576;
  Offset next = from < partition.log_start() ? partition.log_start() : from;
  while (next < partition.high_watermark()) {
    MR_TRY_ASSIGN(const auto read, partition.read(next, kReadBytes));
    if (read.batches.empty()) break;
    for (const SharedBytes& batch : read.batches) {
      MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(batch.view()));
      RecordReader reader = RecordReader::of_batch(header, batch.view());
      while (!reader.done()) {
        MR_TRY_ASSIGN(const ReadRecord record, reader.next());
        if (record.offset >= next) MR_TRY(visit(record));
      }
      next = header.next_offset();
    }
  }
  return {};
}

/// All partitions of a topic; one that does not exist holds nothing.
template <class Visit>
Result<void> replay_topic(const topics::TopicLog& log, std::string_view name, Visit&& visit) {
  const auto table = log.table();
  const topics::Topic* topic = table->find(name);
  if (topic == nullptr) return {};
  for (const auto& partition : topic->partitions) MR_TRY(replay_partition(*partition, Offset(0), visit));
  return {};
}

}  // namespace millrace::mqtt
