#include "topics/batch_accumulator.h"

#include "model/record_batch.h"
#include "topics/batch_rules.h"

namespace millrace::topics {

// A new table may have changed partitions and limits: what is open is finished under the old one and everything is
// looked up again.
void BatchAccumulator::refresh_table() {
  for (auto& [topic, batch] : touched_) finish(*batch);
  touched_.clear();
  open_.clear();
  table_ = log_.table();
}

BatchAccumulator::OpenTopic* BatchAccumulator::resolve(std::string_view name) {
  if (!table_ || table_->version != log_.table_version()) [[unlikely]]
    refresh_table();
  if (const auto it = open_.find(name); it != open_.end()) [[likely]]
    return it->second.get();
  const Topic* const topic = table_->find(name);
  if (topic == nullptr) return nullptr;
  auto open = std::make_unique<OpenTopic>();
  open->max_batch_bytes = static_cast<std::size_t>(topic->log_config.max_message_bytes);
  open->batches.resize(topic->partitions.size());
  for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
    open->batches[i].partition = topic->partitions[i];
    open->batches[i].compression = topic->log_config.compression;
  }
  return open_.emplace(name, std::move(open)).first->second.get();
}

void BatchAccumulator::finish(OpenBatch& batch) {
  SharedBytes bytes = batch.builder.finish();
  if (batch.compression != storage::StoredCompression::producer) {
    if (const auto header = parse_batch_header(bytes.view())) {
      if (auto kept = as_kept(*header, bytes, batch.compression)) bytes = std::move(*kept);
    }
  }
  finished_.push_back({.partition = batch.partition, .batch = std::move(bytes), .outcome = AppendResult{}});
}

Placement BatchAccumulator::add(std::string_view topic, std::optional<std::int32_t> partition,
                                const RecordView& record) {
  OpenTopic* const open = resolve(topic);
  if (open == nullptr) return Placement::no_topic;
  const auto count = static_cast<std::int32_t>(open->batches.size());
  PartitionIndex index;
  if (partition) {
    if (*partition < 0 || *partition >= count) return Placement::no_partition;
    index = PartitionIndex(*partition);
  } else {
    index = record.key ? partition_for_key(*record.key, count) : open->sticky.current(count, rng_);
  }
  OpenBatch& batch = open->batches[static_cast<std::size_t>(index.value())];
  const std::size_t size = RecordBatchBuilder::upper_bound(record);
  if (kBatchHeaderSize + size > open->max_batch_bytes) return Placement::too_large;
  if (batch.builder.empty()) {
    touched_.emplace_back(open, &batch);
    bytes_ += kBatchHeaderSize;
  } else if (batch.builder.size_bytes() + size > open->max_batch_bytes) {
    finish(batch);
    bytes_ += kBatchHeaderSize;
  }
  batch.builder.append(record);
  bytes_ += size;
  return Placement::added;
}

void BatchAccumulator::take(std::vector<PartitionAppend>& into) {
  for (auto& [topic, batch] : touched_) {
    finish(*batch);
    topic->sticky.next_batch();
  }
  touched_.clear();
  if (into.empty()) {
    std::swap(into, finished_);
  } else {
    std::move(finished_.begin(), finished_.end(), std::back_inserter(into));
  }
  finished_.clear();
  bytes_ = 0;
}

}  // namespace millrace::topics
