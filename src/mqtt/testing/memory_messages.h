// MemoryMessages: `__mqtt_messages` without a log, for tests: what is appended is synced at once. Thread: one.
#pragma once

#include <algorithm>
#include <vector>

#include "model/record_batch_builder.h"
#include "topics/topic_log.h"

namespace millrace::mqtt::testing {

class MemoryMessages final : public topics::Partition {
 public:
  [[nodiscard]] const TopicPartition& name() const override { return name_; }
  [[nodiscard]] Offset log_start() const override { return start_; }
  [[nodiscard]] Offset high_watermark() const override { return next_; }
  [[nodiscard]] bool deleted() const override { return false; }
  [[nodiscard]] std::uint64_t size_bytes() const override { return 0; }
  Result<storage::ReadResult> read(Offset from, std::size_t max_bytes) override {
    ++reads;
    if (from < start_ || from > next_) return fail(ErrorCode::out_of_range, "offset");
    storage::ReadResult result{.batches = {}, .high_watermark = next_, .log_start = start_};
    for (const Entry& entry : entries_) {
      if (entry.next <= from) continue;
      if (!result.batches.empty() && result.bytes + entry.batch.size() > max_bytes) break;
      result.bytes += entry.batch.size();
      result.batches.push_back(entry.batch);
    }
    return result;
  }
  Result<std::optional<storage::TimestampedOffset>> find_timestamp(std::int64_t) override { return std::nullopt; }
  Result<std::optional<storage::TimestampedOffset>> find_max_timestamp() override { return std::nullopt; }
  void when_beyond(Offset beyond, Executor& executor, Task task) override {
    if (next_ > beyond) return executor.post(std::move(task));
    waits_.push_back({beyond, &executor, std::move(task)});
  }
  void cancel_waits(Executor& executor) override {
    std::erase_if(waits_, [&](const Wait& wait) { return wait.executor == &executor; });
  }

  struct KeyAndValue {
    std::string key;  // empty: none
    std::string value;
  };
  /// One batch.
  void append(const std::vector<KeyAndValue>& values) {
    if (values.empty()) return;
    RecordBatchBuilder builder;
    for (const auto& [key, value] : values) {
      const auto maybe_key = key.empty() ? std::nullopt : std::optional(as_bytes(key));
      builder.append({.key = maybe_key, .value = as_bytes(value), .headers = {}});
    }
    SharedBytes batch = builder.finish();
    patch_base_offset({batch.mutable_data(), batch.size()}, next_, LeaderEpoch(0));
    next_ += static_cast<std::int64_t>(values.size());
    entries_.push_back({next_, std::move(batch)});
    std::erase_if(waits_, [this](Wait& wait) {
      if (next_ <= wait.beyond) return false;
      wait.executor->post(std::move(wait.task));
      return true;
    });
  }
  void trim(Offset start) {
    start_ = start;
    std::erase_if(entries_, [&](const Entry& entry) { return entry.next <= start; });
  }
  /// Those who waited are gone.
  void forget_waits() { waits_.clear(); }
  [[nodiscard]] std::size_t waiting() const { return waits_.size(); }

  std::size_t reads = 0;

 private:
  struct Entry {
    Offset next;
    SharedBytes batch;
  };
  struct Wait {
    Offset beyond;
    Executor* executor;
    Task task;
  };
  TopicPartition name_{"__mqtt_messages", PartitionIndex(0)};
  std::vector<Entry> entries_;
  std::vector<Wait> waits_;
  Offset start_{0};
  Offset next_{0};
};

}  // namespace millrace::mqtt::testing
