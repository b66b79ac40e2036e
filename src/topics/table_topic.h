// TableTopic: a compacted topic used as a table: the last value put under a key is the value, a null value removes it.
// It is how millrace keeps what must survive a restart beside records: no second store, one recovery, one tool to look
// inside.
//
// The table itself is the owner's: a map, an index, whatever fits. This class makes the topic, tells what it holds, and
// writes changes. One request is in flight at a time and carries everything that was put meanwhile, so changes become
// durable in the order they were put and a burst costs one sync. Thread: the loop given to open(), for every call and
// callback.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "model/record_batch_builder.h"
#include "topics/batch_records.h"
#include "topics/topic_config.h"
#include "topics/topic_log.h"

namespace millrace::topics {

struct TableSpec {
  std::string name;
  /// Beside cleanup.policy=compact, used when the topic is made.
  ConfigMap config = {};
  bool internal = true;  // false for tables whose names others prescribe ("connect-configs")
};

class TableTopic : public std::enable_shared_from_this<TableTopic> {
 public:
  /// One record of the table; nullopt: the key was removed. Later calls replace earlier ones of the same key.
  using Visit = std::function<void(ByteView key, std::optional<ByteView> value)>;
  using Opened = std::move_only_function<void(Result<std::shared_ptr<TableTopic>>)>;
  using Done = std::move_only_function<void(Result<void>)>;

  /// Makes the topic when it is missing (one partition), calls `visit` for every record in order, a piece per turn of
  /// the loop, then `opened`. Errors: those of create_topic and PartitionLog::read; invalid_argument when a topic of
  /// this name exists with more than one partition. `log`, `clock` and `loop` must outlive the table and its last
  /// callback.
  static void open(TopicLog& log, const Clock& clock, Executor& loop, TableSpec spec, Visit visit, Opened opened);

  /// Puts `value` under `key`; nullopt removes the key. `done` may be empty; it is called once, later: success when the
  /// change is on disk. Errors: too_large (over max.message.bytes), not_found (the topic was deleted), closed
  /// (stopping). A failed change is not retried: the owner's map and the topic then differ until the key is put again.
  void put(ByteView key, std::optional<ByteView> value, Done done = {});

  /// Bytes put and not yet on disk; what the owner holds against its own limit.
  [[nodiscard]] std::size_t pending_bytes() const { return gathering_bytes_ + in_flight_bytes_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Loading;
  /// Changes of one batch, which succeed or fail together.
  struct Group {
    SharedBytes batch;
    std::vector<Done> waiting;
  };

  TableTopic(TopicLog& log, const Clock& clock, Executor& loop, std::string name, std::shared_ptr<Partition> partition,
             std::size_t max_batch_bytes);
  static void load(std::unique_ptr<Loading> loading);
  void close_group();
  void send();
  void settle(std::unique_ptr<AppendRequest> request);

  TopicLog& log_;
  const Clock& clock_;
  Executor& loop_;
  const std::string name_;
  const std::shared_ptr<Partition> partition_;
  const std::size_t max_batch_bytes_;

  RecordBatchBuilder builder_;
  std::vector<Done> waiting_;  // for what builder_ holds
  std::vector<Group> groups_;  // finished, not sent
  std::vector<Group> in_flight_;
  std::unique_ptr<AppendRequest> request_ = std::make_unique<AppendRequest>();  // null while in flight
  std::size_t gathering_bytes_ = 0;
  std::size_t in_flight_bytes_ = 0;
  bool send_posted_ = false;
};

}  // namespace millrace::topics
