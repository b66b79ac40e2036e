#include "topics/append_and_wait.h"

#include <memory>
#include <optional>

#include "base/queue_executor.h"

namespace millrace::topics {

Result<void> append_and_wait(TopicLog& log, BatchAccumulator& gathered, std::chrono::milliseconds patience) {
  // Shared with the answer, which may come after this thread has given up waiting.
  struct Waiting {
    QueueExecutor executor;
    std::optional<Result<void>> answer;
  };
  const auto waiting = std::make_shared<Waiting>();
  auto request = std::make_unique<AppendRequest>();
  gathered.take(request->items);
  if (request->items.empty()) return {};
  request->reply_to = &waiting->executor;
  request->done = [waiting](std::unique_ptr<AppendRequest> answered) {
    Result<void> all;
    for (const PartitionAppend& item : answered->items) {
      if (!item.outcome) all = std::unexpected<Error>(item.outcome.error());
    }
    waiting->answer = all;
  };
  log.append(std::move(request));
  if (!waiting->executor.run_until([&] { return waiting->answer.has_value(); }, patience)) {
    return fail(ErrorCode::timed_out, "the log took no record");
  }
  return *waiting->answer;
}

}  // namespace millrace::topics
