// SinkTask: carries the records of its lanes to one sink: gather a batch, put it, and again until the destination has
// it, isolate what it rejects, move the bookmarks behind what is delivered.
//
// Promise: a bookmark moves past a record only when the sink has delivered it, or the record is in the failure ledger
// on disk, or a transformation dropped it. Thread: as ConnectorTask.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "connect/runtime/connector_task.h"
#include "connect/runtime/sink_class.h"
#include "connect/runtime/task_host.h"

namespace millrace::connect {

class SinkTask final : public ConnectorTask {
 public:
  struct Setup : Identity {
    const SinkClass* sink_class = nullptr;
    Settings settings{};  // references resolved
    std::vector<std::shared_ptr<topics::Partition>> partitions{};
    /// A replay: these records alone are delivered, bookmarks stay, and the task ends as STOPPED.
    std::map<TopicPartition, std::set<Offset>> only{};
    /// Makes the sink instead of the class's own function: for a sink of the program's, which knows what it serves.
    std::function<std::unique_ptr<Sink>(SinkContext)> make{};
  };

  SinkTask(TaskHost& host, Setup setup, StateChanged changed);
  /// Stops and waits. Nothing is lost: what was not delivered comes again at the next start.
  ~SinkTask() override;

  /// "connect-NAME", the consumer group of a connector's bookmarks.
  static std::string group_of(std::string_view connector) { return "connect-" + std::string(connector); }

 private:
  class Session;
  Ended run_session() override;

  TaskHost& host_;
  Setup setup_;
};

}  // namespace millrace::connect
