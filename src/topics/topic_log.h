// TopicLog: the seam between everything that produces or consumes records and wherever the log is. embedded/ keeps it
// in this process (storage::Log behind a thread of its own); remote/ will speak to a Kafka cluster. The contract test
// suite (topic_log_contract.h) is what an implementation must pass.
//
// Thread: every call may come from any loop; answers are posted to the Executor named in the request.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/executor.h"
#include "base/result.h"
#include "model/ids.h"
#include "model/topic_partition.h"
#include "storage/log_config.h"
#include "storage/partition_log.h"

namespace millrace::topics {

using Partition = storage::PartitionLog;
using storage::LogConfig;

/// One topic as of a moment; immutable.
struct Topic {
  std::string name;
  Uuid id;
  bool internal = false;                               // made by millrace for itself; name starts with "__"
  std::map<std::string, std::string> config;           // settings given explicitly, Kafka's keys
  LogConfig log_config;                                // the effective ones
  std::vector<std::shared_ptr<Partition>> partitions;  // index = partition
};

struct TransparentHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

/// All topics as of a moment; immutable. `version` grows with every change.
struct TopicTable {
  std::uint64_t version = 0;
  std::unordered_map<std::string, std::shared_ptr<const Topic>, TransparentHash, std::equal_to<>> topics;
  [[nodiscard]] const Topic* find(std::string_view name) const {
    const auto it = topics.find(name);
    return it == topics.end() ? nullptr : it->second.get();
  }
};

struct AppendResult {
  Offset base_offset;
  Offset log_start;
  std::int64_t log_append_time_ms = kNoTimestamp;
  bool duplicate = false;
};

struct PartitionAppend {
  std::shared_ptr<Partition> partition = nullptr;
  SharedBytes batch;  // one v2 batch, validated; given up to the log, which patches it
  /// Errors: not_found (deleted meanwhile), too_large, out_of_order, fenced, closed (stopping).
  Result<AppendResult> outcome = AppendResult{};
};

/// Appends that become durable together (one atomic group in the embedded log).
struct AppendRequest {
  std::vector<PartitionAppend> items;
  Executor* reply_to = nullptr;
  /// Called on reply_to when every outcome is known: durable, or refused. The request comes back so that its memory is
  /// reused.
  std::move_only_function<void(std::unique_ptr<AppendRequest>)> done;
};

struct NewTopic {
  std::string name;
  std::int32_t partitions = -1;  // -1: num.partitions
  std::map<std::string, std::string> config = {};
  bool internal = false;
  bool validate_only = false;
};

/// One partition of a DeleteRecords request.
struct RecordDeletion {
  TopicPartition partition;
  Offset before;  // first offset to keep; -1: the high watermark
  /// The log start afterwards. Errors: not_found, out_of_range (above the high watermark, or negative).
  Result<Offset> log_start = Offset(0);
};

class TopicLog {
 public:
  virtual ~TopicLog() = default;
  /// The current table. Cheap enough for every request, not for every message: keep it and compare versions.
  [[nodiscard]] virtual std::shared_ptr<const TopicTable> table() const = 0;
  /// table()->version without taking a reference.
  [[nodiscard]] virtual std::uint64_t table_version() const = 0;

  virtual void append(std::unique_ptr<AppendRequest> request) = 0;
  /// True while the log wants producers to wait (its queue is full, or the disk is).
  [[nodiscard]] virtual bool congested() const = 0;

  using TopicDone = std::move_only_function<void(Result<std::shared_ptr<const Topic>>)>;
  /// Errors: already_exists, invalid_argument (name, partitions, a config key or value: named in detail).
  virtual void create_topic(NewTopic topic, Executor& reply_to, TopicDone done) = 0;
  using Done = std::move_only_function<void(Result<void>)>;
  /// Errors: not_found.
  virtual void delete_topic(std::string name, Executor& reply_to, Done done) = 0;

  /// What the explicit settings of a topic shall become, told what they are. Called on the log's thread, so that of two
  /// edits at once none is lost; an error refuses the edit. Must not block.
  using ConfigEdit = std::move_only_function<Result<std::map<std::string, std::string>>(
      const std::map<std::string, std::string>& current)>;
  /// The topic as it is afterwards; in effect for every append that comes later, after a restart too. Errors:
  /// not_found, those of `edit`, invalid_argument (detail is Kafka's text for the key or value).
  virtual void edit_config(std::string name, ConfigEdit edit, Executor& reply_to, TopicDone done) = 0;
  /// Replaces all explicit settings.
  void alter_config(std::string name, std::map<std::string, std::string> settings, Executor& reply_to, TopicDone done) {
    edit_config(
        std::move(name), [settings = std::move(settings)](const auto&) { return settings; }, reply_to, std::move(done));
  }
  /// Partitions are added until there are `total`. Errors: not_found, invalid_argument (fewer or as many as there are,
  /// too many: detail is Kafka's text).
  virtual void create_partitions(std::string name, std::int32_t total, Executor& reply_to, TopicDone done) = 0;
  using DeletionsDone = std::move_only_function<void(std::vector<RecordDeletion>)>;
  /// Moves log starts up, all in one atomic change, durable when `done` is called. Errors stand in the items.
  virtual void delete_records(std::vector<RecordDeletion> deletions, Executor& reply_to, DeletionsDone done) = 0;

  using ProducerIdDone = std::move_only_function<void(Result<ProducerId>)>;
  virtual void next_producer_id(Executor& reply_to, ProducerIdDone done) = 0;

  [[nodiscard]] virtual const Uuid& cluster_id() const = 0;
  /// num.partitions and auto.create.topics.enable, as configured.
  [[nodiscard]] virtual std::int32_t default_partitions() const = 0;
  [[nodiscard]] virtual bool auto_create() const = 0;
  /// What topics that say nothing get.
  [[nodiscard]] virtual const LogConfig& topic_defaults() const = 0;
};

}  // namespace millrace::topics
