#include "pipeline/open_deliveries.h"

#include <set>

#include "model/record_reader.h"
#include "pipeline/message_pipeline.h"

namespace millrace::pipeline {
namespace {

constexpr std::size_t kReadBytes = 1_MiB;

Result<void> apply_batch(ByteView bytes, std::set<std::string, std::less<>>& open, Offset& next) {
  MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(bytes));
  RecordReader reader = RecordReader::of_batch(header, bytes);
  while (!reader.done()) {
    MR_TRY_ASSIGN(const ReadRecord record, reader.next());
    if (!record.record.key) continue;
    const std::string_view id = as_text(*record.record.key);
    if (record.record.value) {
      open.emplace(id);
    } else if (const auto it = open.find(id); it != open.end()) {
      open.erase(it);
    }
  }
  next = header.next_offset();
  return {};
}

}  // namespace

Result<std::vector<std::string>> read_open_deliveries(const topics::TopicLog& log) {
  std::set<std::string, std::less<>> open;
  const auto table = log.table();
  if (const topics::Topic* topic = table->find(kDeliveryTopic); topic != nullptr) {
    for (const auto& partition : topic->partitions) {
      Offset next = partition->log_start();
      while (next < partition->high_watermark()) {
        MR_TRY_ASSIGN(const storage::ReadResult read, partition->read(next, kReadBytes));
        if (read.batches.empty()) break;
        for (const SharedBytes& batch : read.batches) MR_TRY(apply_batch(batch.view(), open, next));
      }
    }
  }
  return std::vector<std::string>(open.begin(), open.end());
}

}  // namespace millrace::pipeline
