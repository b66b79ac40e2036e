// RuleDryRuns: rules run over stored records on two threads of their own, one run at a time. It reads as consumers do
// and writes nothing. Thread: run() any; stop() once, by the owner.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/worker_thread.h"
#include "rules/dry_run.h"
#include "topics/topic_log.h"

namespace millrace::app {

class RuleDryRuns {
 public:
  static constexpr std::uint64_t kStandardLimit = 10'000'000;

  struct Request {
    rules::DryRun::Plan plan;
    std::string topic;
    std::optional<std::int64_t> from_ms;   // first timestamp; none: from the log's start
    std::optional<std::int64_t> to_ms;     // last timestamp; none: to the end as it is now
    std::uint64_t limit = kStandardLimit;  // records looked at, about
  };
  /// The report as JSON, with "seconds", and "limited" when there was more than `limit`. Errors: not_found (the topic),
  /// busy (a run is under way), invalid_argument (the rule), closed (stopping), those of reading the log.
  using Done = std::move_only_function<void(Result<std::string>)>;

  RuleDryRuns() : thread_("dry-run") {}
  ~RuleDryRuns() { stop(); }

  void run(topics::TopicLog& log, Request request, Done done);
  void stop();

 private:
  Result<std::string> work(topics::TopicLog& log, const Request& request);

  std::atomic<bool> busy_{false};
  std::atomic<bool> stopping_{false};
  WorkerThread thread_;
};

}  // namespace millrace::app
