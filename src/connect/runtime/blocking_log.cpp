#include "connect/runtime/blocking_log.h"

#include <optional>

namespace millrace::connect {

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
  if (items.empty()) return {};
  const auto answer = std::make_shared<std::optional<Result<void>>>();
  auto request = std::make_unique<topics::AppendRequest>();
  request->items = std::move(items);
  request->reply_to = executor_.get();
  request->done = [executor = executor_, answer](std::unique_ptr<topics::AppendRequest> answered) {
    Result<void> all;
    for (const auto& item : answered->items) {
      if (all && !item.outcome) all = std::unexpected<Error>(item.outcome.error());
    }
    *answer = std::move(all);
  };
  log_.append(std::move(request));
  if (!await_([&] { return answer->has_value(); })) {
    return fail(ErrorCode::timed_out, "the log took no record");
  }
  return **answer;
}

}  // namespace millrace::connect
