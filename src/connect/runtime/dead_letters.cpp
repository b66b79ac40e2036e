#include "connect/runtime/dead_letters.h"

#include <algorithm>
#include <vector>

#include "base/log.h"

namespace millrace::connect {
topics::Placement DeadLetters::add(const FailedRecord& failed) {
  std::vector<RecordHeader> headers(failed.origin.headers.begin(), failed.origin.headers.end());
  std::vector<std::pair<std::string, std::string>> context;
  if (options_.with_context) {
    static constexpr std::string_view kPrefix = "__connect.errors.";
    const auto put = [&](std::string_view name, std::string value) {
      std::string key = std::string(kPrefix) + std::string(name);
      // Kafka's reporter keeps a header of this name that is already there.
      if (std::ranges::count(headers, key, &RecordHeader::key) == 0)
        context.emplace_back(std::move(key), std::move(value));
    };
    put("topic", failed.origin.partition->topic);
    put("partition", std::to_string(failed.origin.partition->partition.value()));
    put("offset", std::to_string(failed.origin.offset.value()));
    put("connector.name", options_.connector);
    put("task.id", std::to_string(options_.task));
    put("stage", std::string(to_string(failed.stage)));
    put("class.name", failed.class_name);
    put("exception.class.name", failed.error_class);
    put("exception.message", failed.message);
    put("exception.stacktrace", failed.error_class + ": " + failed.message + "\n");
    for (const auto& [key, value] : context) headers.push_back({key, as_bytes(value)});
  }
  return gathered_.add(options_.topic, std::nullopt,
                       {.key = failed.origin.key,
                        .value = failed.origin.value,
                        .headers = headers,
                        .timestamp_ms = failed.origin.timestamp_ms});
}

Result<void> DeadLetters::report(std::span<const FailedRecord> failed) {
  if (failed.empty()) return {};
  MR_TRY(log_.make_topic({.name = options_.topic, .partitions = 1}));
  for (const FailedRecord& record : failed) {
    switch (add(record)) {
      case topics::Placement::added:
        break;
      case topics::Placement::no_topic:
      case topics::Placement::no_partition:
        return fail(ErrorCode::unavailable, "the dead letter topic is not there", options_.topic);
      case topics::Placement::too_large:
        // It is in the ledger, and where it came from; a task that ended here would never get past it.
        log::warn("dead_letter_too_large", {{"connector", options_.connector},
                                            {"dead_letter_topic", options_.topic},
                                            {"topic", record.origin.partition->topic},
                                            {"partition", record.origin.partition->partition.value()},
                                            {"offset", record.origin.offset.value()}});
        break;
    }
  }
  std::vector<topics::PartitionAppend> items;
  gathered_.take(items);
  return log_.append(std::move(items));
}

}  // namespace millrace::connect
