// Worker: all connectors of this process. What was asked for is kept in the compacted topics "connect-configs" and
// "connect-status", under Kafka Connect's keys; progress is in the consumer groups "connect-NAME".
//
//   POST ──► connect-configs on disk ──► answer ──► tasks start; their news ──► status, connect-status
//
// Thread: the loop's, but for the constructor, and stop(), which comes after the loop has ended.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connect/runtime/connector.h"
#include "connect/runtime/reaper.h"
#include "connect/runtime/task_host.h"
#include "connect/runtime/validation.h"
#include "metrics/registry.h"
#include "net/loop.h"
#include "topics/table_topic.h"

namespace millrace::connect {

struct WorkerSettings {
  std::string config_topic = "connect-configs";
  std::string status_topic = "connect-status";
  std::string offset_topic = "connect-offsets";  // of sources
  std::string worker_id{};                       // "host:port", shown in every status
  std::int64_t memory_bytes = 256 << 20;
  std::chrono::milliseconds bookmark_interval{1000};
  std::chrono::milliseconds assignment_interval{1000};
  int tasks_nice = 0;
  ConverterDefaults converters{};
};

class Worker {
 public:
  Worker(net::Loop& loop, topics::TopicLog& log, topics::OffsetStore& offsets, const Surroundings& surroundings,
         metrics::Registry& metrics, WorkerSettings settings, std::uint64_t seed);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  using Done = std::move_only_function<void(Result<void>)>;
  /// Reads the tables and starts every connector that was left running.
  void open(Done done);
  /// Ends all tasks; they start again with the next open().
  void stop();
  [[nodiscard]] bool is_open() const { return open_; }
  void set_worker_id(std::string id) { settings_.worker_id = std::move(id); }

  [[nodiscard]] const std::map<std::string, Connector, std::less<>>& connectors() const { return connectors_; }
  [[nodiscard]] const Connector* find(std::string_view name) const;
  [[nodiscard]] const WorkerSettings& settings() const { return settings_; }
  [[nodiscard]] const topics::TopicLog& log() const { return host_.log; }
  [[nodiscard]] const Clock& clock() const { return *surroundings_.clock; }
  [[nodiscard]] FailureLedger& failures() { return ledger_; }

  /// Errors of a configuration, references resolved; empty: it can be started.
  [[nodiscard]] Result<std::vector<std::string>> errors_of(const ConnectorConfig& config) const;
  [[nodiscard]] Result<Validation> validate(std::string_view plugin, const ConnectorConfig& config) const;

  /// Creates or replaces; `done` when it is on disk. The tasks start afterwards. Requires a valid configuration.
  void put(const std::string& name, ConnectorConfig config, std::optional<TargetState> target, Done done);
  void remove(const std::string& name, Done done);
  void set_target(const std::string& name, TargetState target, Done done);
  void restart(const std::string& name, bool with_tasks, bool only_failed);
  void restart_task(const std::string& name, std::size_t task);
  void reset_topics(const std::string& name);
  /// Starts to deliver the records of the connector's failure ledger again; tells how many. Errors: busy (a replay is
  /// under way), invalid_argument (the connector cannot be started).
  /// `wanted`: only those it holds for.
  using Wanted = std::function<bool(const LedgerKey&)>;
  Result<std::size_t> replay_failures(const std::string& name, const Wanted& wanted);
  /// The record of a ledger entry as a batch of its own, from the log or else from the archive; `found` with nullopt
  /// when it is in neither.
  using Found = std::move_only_function<void(Result<std::optional<SharedBytes>>)>;
  void failed_record(const LedgerKey& key, Found found);

  using Offsets = std::move_only_function<void(Result<topics::CommittedOffsets>)>;
  void offsets(const std::string& name, Offsets done);
  /// Requires a stopped connector. nullopt offsets go back to the start of the log; `all`: every partition does.
  void alter_offsets(const std::string& name, std::map<TopicPartition, std::optional<Offset>> wanted, bool all,
                     Done done);
  /// The same for sources.
  [[nodiscard]] SourcePositions source_offsets(const std::string& name) const { return source_offsets_.of(name); }
  void alter_source_offsets(const std::string& name, SourceOffsets::Changes changes, Done done);

 private:
  enum class Table : std::uint8_t { configs, status, failures, source_offsets };
  void open_table(Table which, Done done);
  void load_config(ByteView key, std::optional<ByteView> value);
  void tables_open(Done done);

  [[nodiscard]] Result<Validation> validate_whole(const ConnectorConfig& config) const;
  void start(Connector& connector);
  void warn_before(const Connector& connector, const ConfigTable& known) const;
  void start_task(Connector& connector, std::size_t number);
  [[nodiscard]] std::unique_ptr<ConnectorTask> make_sink_task(Connector& connector, ConnectorTask::Identity identity,
                                                              ConnectorConfig resolved,
                                                              ConnectorTask::StateChanged changed);
  [[nodiscard]] std::unique_ptr<ConnectorTask> make_source_task(Connector& connector, ConnectorTask::Identity identity,
                                                                ConnectorConfig resolved,
                                                                ConnectorTask::StateChanged changed);
  struct Search;
  void search_archive(std::unique_ptr<Search> search);
  void end_replay(Connector& connector);
  /// Ends the tasks and then calls `then` with the connector, unless it is gone or was started anew meanwhile.
  void end_tasks(Connector& connector, std::function<void(Connector&)> then);
  [[nodiscard]] std::vector<std::shared_ptr<topics::Partition>> partitions_of(const Connector& connector) const;
  void check_assignments();
  void task_changed(const std::string& name, std::uint64_t generation, std::size_t task, State state,
                    const std::string& trace);
  void set_state(Connector& connector, State state, const std::string& trace = {});
  void save_status(const std::string& key, State state, const std::string& trace);
  void register_metrics(metrics::Registry& metrics);

  net::Loop& loop_;
  const Surroundings& surroundings_;
  WorkerSettings settings_;
  Rng rng_;
  MemoryBudget memory_;
  FailureLedger ledger_;
  FailureArchive archive_;
  SourceOffsets source_offsets_;
  TaskHost host_;
  std::map<std::string, Connector, std::less<>> connectors_;
  std::map<std::string, ConnectorConfig> loaded_;
  std::map<std::string, TargetState> loaded_targets_;
  std::shared_ptr<topics::TableTopic> configs_;
  std::shared_ptr<topics::TableTopic> status_;
  net::Loop::TimerId timer_ = 0;
  std::uint64_t table_version_ = 0;
  bool open_ = false;
  /// What /metrics shows of the tasks: replaced by the loop, read by whoever scrapes.
  struct Watched {
    std::string connector;
    std::int32_t task;
    State state;
    std::shared_ptr<const TaskCounters> counters;
  };
  Guarded<std::vector<Watched>> watched_;
  void publish_watched();
  std::unique_ptr<Reaper> reaper_ = std::make_unique<Reaper>();
};

}  // namespace millrace::connect
