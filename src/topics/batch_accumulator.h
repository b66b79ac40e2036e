// BatchAccumulator: gathers records into one open batch per partition until the whole lot is handed to the log.
//
// Topic names are resolved once per table version; a record costs one hash look-up, the partitioner and the encoding
// into its batch. Thread: one owner (one per loop).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "model/record.h"
#include "model/record_batch_builder.h"
#include "topics/partitioner.h"
#include "topics/topic_log.h"

namespace millrace::topics {

enum class Placement : std::uint8_t {
  added,
  no_topic,      // the table does not have it
  no_partition,  // the partition asked for does not exist
  too_large,     // the record alone is over the topic's max.message.bytes
};

class BatchAccumulator {
 public:
  BatchAccumulator(const TopicLog& log, std::uint64_t seed) : log_(log), rng_(seed) {}

  /// Adds a record to its topic's open batch. Partition: the one given, else by key, else sticky.
  Placement add(std::string_view topic, std::optional<std::int32_t> partition, const RecordView& record);

  [[nodiscard]] bool empty() const { return finished_.empty() && touched_.empty(); }
  /// Record bytes gathered, headers of batches included.
  [[nodiscard]] std::size_t size_bytes() const { return bytes_; }

  /// Finishes every open batch and moves all of them to the end of `into`, in order per partition.
  void take(std::vector<PartitionAppend>& into);

 private:
  struct OpenBatch {
    std::shared_ptr<Partition> partition;
    RecordBatchBuilder builder;
    storage::StoredCompression compression = storage::StoredCompression::producer;
  };
  struct OpenTopic {
    std::size_t max_batch_bytes = 0;
    StickyPartition sticky;
    std::vector<OpenBatch> batches;  // index = partition
  };

  OpenTopic* resolve(std::string_view name);
  void finish(OpenBatch& batch);
  void refresh_table();

  const TopicLog& log_;
  Rng rng_;
  std::shared_ptr<const TopicTable> table_;
  std::unordered_map<std::string, std::unique_ptr<OpenTopic>, TransparentHash, std::equal_to<>> open_;
  std::vector<std::pair<OpenTopic*, OpenBatch*>> touched_;  // open batches that hold records
  std::vector<PartitionAppend> finished_;
  std::size_t bytes_ = 0;
};

}  // namespace millrace::topics
