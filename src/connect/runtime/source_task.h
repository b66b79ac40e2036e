// SourceTask: carries what a source reads into the log.
//
// Promise: the records of a batch and the position behind them are one atomic group of the log, so that after any crash
// every record is there once. Thread: as ConnectorTask.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "connect/runtime/connector_task.h"
#include "connect/runtime/source_class.h"
#include "connect/runtime/task_host.h"
#include "connect/transforms/transform.h"
#include "topics/batch_accumulator.h"

namespace millrace::connect {

class SourceTask final : public ConnectorTask {
 public:
  struct Setup : Identity {
    const SourceClass* source_class = nullptr;
    Settings settings{};  // references resolved
    /// Told on the task's thread of every topic when its first record is written.
    std::function<void(const std::string& topic)> topic_used{};
  };

  SourceTask(TaskHost& host, Setup setup, StateChanged changed);
  ~SourceTask() override;

 private:
  class Session;
  Ended run_session() override;

  TaskHost& host_;
  Setup setup_;
};

}  // namespace millrace::connect
