// SinkTask: one thread that carries the records of its lanes to one sink: gather a batch, put it, and again until the
// destination has it, isolate what it rejects, move the bookmarks behind what is delivered.
//
//   RESTARTING ──► RUNNING ◄──► PAUSED        a session: open the sink, deliver until something ends it
//        ▲            │ error
//        └─ back-off ─┴──► FAILED             after kFatalSessions sessions that no waiting could help
//
// Promise: a bookmark moves past a record only when the sink has delivered it, or the record is in the failure ledger
// on disk, or a transformation dropped it. Thread: constructed, paused and stopped by its owner; the rest runs on its
// own.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/queue_executor.h"
#include "connect/runtime/dead_letters.h"
#include "connect/runtime/failure_ledger.h"
#include "connect/runtime/memory_budget.h"
#include "connect/runtime/sink_class.h"
#include "connect/runtime/state.h"
#include "connect/runtime/task_counters.h"
#include "topics/offset_store.h"
#include "topics/topic_log.h"

namespace millrace::connect {

/// What tasks share.
struct TaskHost {
  topics::TopicLog& log;
  topics::OffsetStore& offsets;
  FailureLedger& failures;
  MemoryBudget& memory;
  const Surroundings& surroundings;
  std::chrono::milliseconds bookmark_interval{1000};
};

class SinkTask {
 public:
  struct Setup {
    std::string connector;
    std::int32_t number = 0;
    const SinkClass* sink_class = nullptr;
    Settings settings;  // references resolved
    std::vector<std::shared_ptr<topics::Partition>> partitions;
    bool paused = false;
    std::uint64_t seed = 0;
    /// A replay: these records alone are delivered, bookmarks stay, and the task ends as STOPPED.
    std::map<TopicPartition, std::set<Offset>> only{};
    /// Makes the sink instead of the class's own function: for a sink of the program's, which knows what it serves.
    std::function<std::unique_ptr<Sink>(SinkContext)> make{};
  };
  /// Told on the task's thread at every change. `trace` is empty unless something failed.
  using StateChanged = std::function<void(State state, const std::string& trace)>;

  SinkTask(TaskHost& host, Setup setup, StateChanged changed);
  /// Stops and waits. Nothing is lost: what was not delivered comes again at the next start.
  ~SinkTask();
  SinkTask(const SinkTask&) = delete;
  SinkTask& operator=(const SinkTask&) = delete;

  void start();
  void set_paused(bool paused);
  /// Asks the task to end; the destructor waits for it.
  void stop();
  [[nodiscard]] const TaskCounters& counters() const { return *counters_; }
  [[nodiscard]] std::shared_ptr<const TaskCounters> shared_counters() const { return counters_; }
  [[nodiscard]] const Setup& setup() const { return setup_; }

  /// "connect-NAME", the consumer group of a connector's bookmarks.
  static std::string group_of(std::string_view connector) { return "connect-" + std::string(connector); }

 private:
  class Session;
  void run();
  /// Waits for `duration` or until something is posted and `until` holds.
  void wait(std::chrono::milliseconds duration);

  TaskHost& host_;
  Setup setup_;
  StateChanged changed_;
  std::shared_ptr<TaskCounters> counters_ = std::make_shared<TaskCounters>();
  std::shared_ptr<QueueExecutor> executor_ = std::make_shared<QueueExecutor>();
  std::atomic<bool> stopping_{false};
  std::atomic<bool> paused_{false};
  std::thread thread_;
};

}  // namespace millrace::connect
