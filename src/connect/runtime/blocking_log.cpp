#include "connect/runtime/blocking_log.h"

#include <optional>

namespace millrace::connect {
namespace {

// Answers are passed on by the thread that brings them: who asked may be gone.
class OnTheSpot final : public Executor {
 public:
  void post(Task task) override { task(); }
};

Executor& on_the_spot() {
  static OnTheSpot executor;
  return executor;
}

}  // namespace

Result<void> BlockingLog::make_topic(const topics::NewTopic& topic) {
  if (log_.table()->find(topic.name) != nullptr) return {};
  // Shared with the answer, which may come after this thread has given up waiting.
  const auto answer = std::make_shared<std::optional<Result<void>>>();
  log_.create_topic(topic, *executor_, [executor = executor_, answer](auto result) {
    answer->emplace();
    if (!result) **answer = std::unexpected<Error>(result.error());
  });
  if (!await_([&] { return answer->has_value(); })) {
    return fail(ErrorCode::timed_out, "the topic could not be made", topic.name);
  }
  if (!**answer && (*answer)->error().code != ErrorCode::already_exists) return **answer;
  return {};
}

Result<void> BlockingLog::append(std::vector<topics::PartitionAppend> items) {
  return append(std::move(items), {});
}

Result<void> BlockingLog::append(std::vector<topics::PartitionAppend> items, Settled settled) {
  if (items.empty()) return {};
  const auto answer = std::make_shared<std::optional<Result<void>>>();
  auto request = std::make_unique<topics::AppendRequest>();
  request->items = std::move(items);
  request->reply_to = &on_the_spot();
  request->done = [executor = executor_, answer,
                   settled = std::move(settled)](std::unique_ptr<topics::AppendRequest> answered) {
    Result<void> all;
    for (const auto& item : answered->items) {
      if (all && !item.outcome) all = std::unexpected<Error>(item.outcome.error());
    }
    if (settled) settled(all);
    executor->post([answer, all = std::move(all)]() mutable { *answer = std::move(all); });
  };
  log_.append(std::move(request));
  if (!await_([&] { return answer->has_value(); })) {
    return fail(ErrorCode::timed_out, "the log took no record");
  }
  return **answer;
}

}  // namespace millrace::connect
