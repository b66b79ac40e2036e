// BlockingLog: the log as a task's thread uses it: it asks and waits for the answer, no longer than the task may (its
// end is not held up by a log that takes nothing). Thread: the task's.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/queue_executor.h"
#include "base/result.h"
#include "topics/topic_log.h"

namespace millrace::connect {

class BlockingLog {
 public:
  /// Runs the executor until `done`, or as long as the task may wait: false.
  using Await = std::function<bool(const std::function<bool()>& done)>;
  BlockingLog(topics::TopicLog& log, std::shared_ptr<QueueExecutor> executor, Await await)
      : log_(log), executor_(std::move(executor)), await_(std::move(await)) {}

  [[nodiscard]] topics::TopicLog& log() const { return log_; }
  /// Makes the topic unless it is there. Errors: those of create_topic; timed_out.
  Result<void> make_topic(const topics::NewTopic& topic);
  /// All items become durable together. Errors: the first of the items' own; timed_out.
  Result<void> append(std::vector<topics::PartitionAppend> items);
  /// The same, and `settled` is called with the outcome when it is known, on a thread of the log's, also long after
  /// this call has given up waiting.
  using Settled = std::function<void(const Result<void>& outcome)>;
  Result<void> append(std::vector<topics::PartitionAppend> items, Settled settled);

  /// For other questions a task has: answers are posted here, and waited for as above.
  [[nodiscard]] const std::shared_ptr<QueueExecutor>& executor() const { return executor_; }
  [[nodiscard]] bool await(const std::function<bool()>& done) const { return await_(done); }

 private:
  topics::TopicLog& log_;
  std::shared_ptr<QueueExecutor> executor_;
  Await await_;
};

}  // namespace millrace::connect
