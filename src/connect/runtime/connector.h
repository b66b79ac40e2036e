// Connector: one connector of the worker: what was asked for, what its tasks do. Plain state; Worker changes it.
// Thread: the worker's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "connect/runtime/connector_class.h"
#include "connect/runtime/connector_task.h"
#include "topics/topic_log.h"

namespace millrace::connect {

struct TaskStatus {
  State state = State::unassigned;
  std::string trace;
};

struct Connector {
  std::string name;
  ConnectorConfig config;  // as submitted, references unresolved
  TargetState target = TargetState::started;
  [[nodiscard]] std::optional<ConnectorClass> plugin() const {
    const auto named = config.find("connector.class");
    return named == config.end() ? std::nullopt : find_connector_class(named->second);
  }
  State state = State::unassigned;
  std::string trace;
  std::vector<TaskStatus> statuses;                   // 0 to tasks.max - 1; none while stopped
  std::vector<std::unique_ptr<ConnectorTask>> tasks;  // null where a task has no partition, or has ended
  std::unique_ptr<ConnectorTask> replay;              // of failed records, while it runs
  std::set<std::string> topics;                       // that its tasks read or write, since the last reset
  /// Dealt out to the tasks that run. A topic that was deleted and made anew has others under the same names.
  std::vector<std::shared_ptr<topics::Partition>> assignment;
  /// Changes with every start and stop of its tasks, so that news of former tasks is known as such.
  std::uint64_t generation = 0;
  bool ending = false;  // former tasks have not ended yet
};

}  // namespace millrace::connect
