// LogModel: what a log may hold, as promised to those who used it. The oracle of the simulation.
//
// It changes by whole groups, as the log does. A group whose commit failed is in doubt: after a recovery the log must
// equal the model without it or the model with it, nothing between (invariants I1 to I5 of docs/durability.md). Thread:
// the simulation's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/topic_partition.h"
#include "sim/record_source.h"
#include "storage/log_config.h"

namespace millrace::sim {

struct ModelBatch {
  Offset base;
  std::int64_t timestamp_ms = 0;  // the newest of the batch
  std::size_t bytes = 0;
  std::vector<RecordName> records;
  std::vector<std::int64_t> timestamps;
  [[nodiscard]] Offset next() const { return base + static_cast<std::int64_t>(records.size()); }
};

struct ModelPartition {
  Uuid topic_id;
  storage::LogConfig config;
  std::string properties;
  std::vector<ModelBatch> batches;                                // all there ever were, from offset 0 on
  Offset log_start;                                               // seen or promised: it never goes back
  bool compacted = false;                                         // it had cleanup.policy=compact at some time
  std::int64_t delete_retention_ms = storage::LogConfig::kNever;  // the shortest it ever had
  void configure(const storage::LogConfig& next);
  [[nodiscard]] Offset end() const { return batches.empty() ? Offset(0) : batches.back().next(); }
  /// The batch that holds `offset`, or null.
  [[nodiscard]] const ModelBatch* find(Offset offset) const;
  /// Why retention may not have moved the log start to `start` at wall time `now_ms`; nullopt when it may.
  [[nodiscard]] std::optional<std::string> objection_to_start(Offset start, std::int64_t now_ms) const;
};

/// A partition as read back from a log.
struct SeenPartition {
  Uuid topic_id;
  storage::LogConfig config;
  std::string properties;
  Offset log_start;
  Offset high_watermark;
  struct Record {
    Offset offset;
    RecordName name;
    std::int64_t timestamp_ms = 0;
  };
  std::vector<Record> records;
};
using SeenLog = std::map<TopicPartition, SeenPartition>;

/// One commit: what it adds and changes.
struct ModelGroup {
  struct Create {
    TopicPartition name;
    Uuid topic_id;
    storage::LogConfig config;
    std::string properties;
  };
  struct Configure {
    TopicPartition name;
    storage::LogConfig config;
    std::string properties;
  };
  struct Trim {
    TopicPartition name;
    Offset offset;
  };
  struct Append {
    TopicPartition name;
    ModelBatch batch;  // base as the log will give it
  };
  std::vector<Create> creates;
  std::vector<TopicPartition> deletes;
  std::vector<Configure> configures;
  std::vector<Trim> trims;
  std::vector<Append> appends;
  [[nodiscard]] bool empty() const {
    return creates.empty() && deletes.empty() && configures.empty() && trims.empty() && appends.empty();
  }
};

class LogModel {
 public:
  explicit LogModel(const RecordSource& source) : source_(&source) {}
  std::map<TopicPartition, ModelPartition> partitions;

  void apply(const ModelGroup& group);
  /// What is wrong with a log that shows `seen`; nullopt when it is this model. `now_ms` is wall time, for retention.
  [[nodiscard]] std::optional<std::string> differs(const SeenLog& seen, std::int64_t now_ms) const;
  /// Takes over log starts that retention moved.
  void follow_starts(const SeenLog& seen);
  /// Records that compaction took away, as of `seen`.
  [[nodiscard]] std::uint64_t compacted_away(const SeenLog& seen) const;

 private:
  const RecordSource* source_;
};

}  // namespace millrace::sim
