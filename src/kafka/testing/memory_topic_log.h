// MemoryTopicLog: a TopicLog for the tests of the Kafka server. Keeps batches in memory and is "durable" when told:
// with `hold_appends` set, appends wait until commit(). Idempotence and retention are not its business. Thread: any;
// one mutex around everything.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "model/record_batch.h"
#include "topics/topic_config.h"
#include "topics/topic_log.h"
#include "topics/topic_table.h"

namespace millrace::kafka::testing {

class MemoryPartition final : public topics::Partition {
 public:
  explicit MemoryPartition(TopicPartition name) : name_(std::move(name)) {}

  [[nodiscard]] const TopicPartition& name() const override { return name_; }
  [[nodiscard]] Offset log_start() const override {
    return locked([this] { return log_start_; });
  }
  [[nodiscard]] Offset high_watermark() const override {
    return locked([this] { return next_; });
  }
  [[nodiscard]] bool deleted() const override {
    return locked([this] { return deleted_; });
  }
  [[nodiscard]] std::uint64_t size_bytes() const override { return 0; }

  Result<storage::ReadResult> read(Offset from, std::size_t max_bytes) override {
    const std::scoped_lock lock(mutex_);
    ++reads;
    if (read_error) return std::unexpected(*read_error);
    if (from < log_start_ || from > next_) return fail(ErrorCode::out_of_range, "offset");
    storage::ReadResult result{.batches = {}, .high_watermark = next_, .log_start = log_start_};
    for (const Entry& entry : entries_) {
      if (entry.header.next_offset() <= from) continue;
      if (!result.batches.empty() && result.bytes + entry.batch.size() > max_bytes) break;
      result.bytes += entry.batch.size();
      result.batches.push_back(entry.batch);
    }
    return result;
  }
  Result<std::optional<storage::ReadResult>> read_memory(Offset from, std::size_t max_bytes) override {
    if (on_disk) return std::nullopt;
    return read(from, max_bytes);
  }
  Result<std::optional<storage::TimestampedOffset>> find_timestamp(std::int64_t timestamp_ms) override {
    const std::scoped_lock lock(mutex_);
    for (const Entry& entry : entries_) {
      if (entry.header.max_timestamp >= timestamp_ms) {
        return storage::TimestampedOffset{entry.header.max_timestamp, entry.header.base_offset};
      }
    }
    return std::nullopt;
  }
  Result<std::optional<storage::TimestampedOffset>> find_max_timestamp() override {
    const std::scoped_lock lock(mutex_);
    const auto best =
        std::ranges::max_element(entries_, {}, [](const Entry& entry) { return entry.header.max_timestamp; });
    if (best == entries_.end()) return std::nullopt;
    return storage::TimestampedOffset{best->header.max_timestamp, best->header.last_offset()};
  }
  [[nodiscard]] std::vector<storage::ProducerState> producers() const override { return known_producers; }
  void when_beyond(Offset beyond, Executor& executor, Task task) override {
    const std::scoped_lock lock(mutex_);
    if (deleted_ || next_ > beyond) return executor.post(std::move(task));
    waits_.push_back({beyond, &executor, std::move(task)});
  }
  void cancel_waits(Executor& executor) override {
    const std::scoped_lock lock(mutex_);
    std::erase_if(waits_, [&executor](const Wait& wait) { return wait.executor == &executor; });
  }

  // For the log and the tests.
  topics::AppendResult append(SharedBytes batch) {
    const std::scoped_lock lock(mutex_);
    BatchHeader header = parse_batch_header(batch.view()).value();
    patch_base_offset({batch.mutable_data(), batch.size()}, next_, LeaderEpoch(0));
    header.base_offset = next_;
    entries_.push_back({header, std::move(batch)});
    next_ = header.next_offset();
    fire();
    return {header.base_offset, log_start_};
  }
  void remove() {
    const std::scoped_lock lock(mutex_);
    deleted_ = true;
    fire();
  }
  void trim(Offset start) {
    const std::scoped_lock lock(mutex_);
    log_start_ = start;
  }
  [[nodiscard]] std::size_t waiting() const {
    return locked([this] { return waits_.size(); });
  }

  std::optional<Error> read_error;
  bool on_disk = false;  // what was appended is not in memory any more
  std::vector<storage::ProducerState> known_producers;
  std::size_t reads = 0;

 private:
  struct Entry {
    BatchHeader header;
    SharedBytes batch;
  };
  struct Wait {
    Offset beyond;
    Executor* executor;
    Task task;
  };
  template <class Action>
  std::invoke_result_t<Action> locked(Action action) const {
    const std::scoped_lock lock(mutex_);
    return action();
  }
  void fire() {
    std::erase_if(waits_, [this](Wait& wait) {
      if (!deleted_ && next_ <= wait.beyond) return false;
      wait.executor->post(std::move(wait.task));
      return true;
    });
  }

  const TopicPartition name_;
  mutable std::mutex mutex_;  // guards everything below; taken under the log's
  std::vector<Entry> entries_;
  std::vector<Wait> waits_;
  Offset log_start_{0};
  Offset next_{0};
  bool deleted_ = false;
};

class MemoryTopicLog final : public topics::TopicLog {
 public:
  [[nodiscard]] std::shared_ptr<const topics::TopicTable> table() const override {
    const std::scoped_lock lock(mutex_);
    return table_;
  }
  [[nodiscard]] std::uint64_t table_version() const override { return table()->version; }

  void append(std::unique_ptr<topics::AppendRequest> request) override {
    const std::scoped_lock lock(mutex_);
    held_.push_back(std::move(request));
    if (!hold_appends) commit_locked();
  }
  [[nodiscard]] bool congested() const override { return congested_now; }

  void create_topic(topics::NewTopic topic, Executor& reply_to, TopicDone done) override {
    reply_to.post([result = create(std::move(topic)), done = std::move(done)]() mutable { done(std::move(result)); });
  }
  void delete_topic(std::string name, Executor& reply_to, Done done) override {
    reply_to.post([result = remove(name), done = std::move(done)]() mutable { done(std::move(result)); });
  }
  void edit_config(std::string name, ConfigEdit edit, Executor& reply_to, TopicDone done) override {
    reply_to.post(
        [result = reconfigure(name, std::move(edit)), done = std::move(done)]() mutable { done(std::move(result)); });
  }
  void create_partitions(std::string name, std::int32_t total, Executor& reply_to, TopicDone done) override {
    reply_to.post([result = grow(name, total), done = std::move(done)]() mutable { done(std::move(result)); });
  }
  void delete_records(std::vector<topics::RecordDeletion> deletions, Executor& reply_to, DeletionsDone done) override {
    for (topics::RecordDeletion& deletion : deletions) {
      const auto current = table();
      const topics::Topic* topic = current->find(deletion.partition.topic);
      const auto index = static_cast<std::size_t>(deletion.partition.partition.value());
      if (topic == nullptr || index >= topic->partitions.size()) {
        deletion.log_start = fail(ErrorCode::not_found, "no such partition", deletion.partition.to_string());
        continue;
      }
      auto& partition = static_cast<MemoryPartition&>(*topic->partitions[index]);
      const Offset end = partition.high_watermark();
      const Offset before = deletion.before == Offset(-1) ? end : deletion.before;
      if (before.value() < 0 || before > end) {
        deletion.log_start = fail(ErrorCode::out_of_range, "offset");
        continue;
      }
      if (before > partition.log_start()) partition.trim(before);
      deletion.log_start = partition.log_start();
    }
    reply_to.post([deletions = std::move(deletions), done = std::move(done)]() mutable { done(std::move(deletions)); });
  }
  void next_producer_id(Executor& reply_to, ProducerIdDone done) override {
    const std::scoped_lock lock(mutex_);
    reply_to.post([id = ProducerId(++last_producer_id_), done = std::move(done)]() mutable { done(id); });
  }
  [[nodiscard]] const Uuid& cluster_id() const override { return cluster_id_; }
  [[nodiscard]] std::int32_t default_partitions() const override { return 4; }
  [[nodiscard]] bool auto_create() const override { return auto_create_topics; }
  [[nodiscard]] const topics::LogConfig& topic_defaults() const override { return defaults; }

  /// Makes what is held durable and answers.
  void commit() {
    const std::scoped_lock lock(mutex_);
    commit_locked();
  }
  [[nodiscard]] std::size_t held() const {
    const std::scoped_lock lock(mutex_);
    return held_.size();
  }
  Result<std::shared_ptr<const topics::Topic>> create(topics::NewTopic topic) {
    const std::scoped_lock lock(mutex_);
    if (table_->find(topic.name) != nullptr) return fail(ErrorCode::already_exists, "topic exists", topic.name);
    auto made = std::make_shared<topics::Topic>();
    made->name = topic.name;
    ++last_topic_id_;
    made->id = Uuid::from_random(last_topic_id_, last_topic_id_ * 31);
    made->internal = topic.internal;
    made->config = topic.config;
    MR_TRY_ASSIGN(made->log_config, topics::effective_config(defaults, topic.config));
    const std::int32_t count = topic.partitions == -1 ? default_partitions() : topic.partitions;
    for (std::int32_t i = 0; i < count; ++i) {
      made->partitions.push_back(std::make_shared<MemoryPartition>(TopicPartition{topic.name, PartitionIndex(i)}));
    }
    if (topic.validate_only) return made;
    auto next = std::make_shared<topics::TopicTable>(*table_);
    ++next->version;
    next->topics[topic.name] = made;
    table_ = next;
    return made;
  }
  Result<void> remove(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    const topics::Topic* topic = table_->find(name);
    if (topic == nullptr) return fail(ErrorCode::not_found, "no such topic", name);
    for (const auto& partition : topic->partitions) static_cast<MemoryPartition&>(*partition).remove();
    auto next = std::make_shared<topics::TopicTable>(*table_);
    ++next->version;
    next->topics.erase(name);
    table_ = next;
    return {};
  }
  Result<std::shared_ptr<const topics::Topic>> reconfigure(const std::string& name, ConfigEdit edit) {
    const std::scoped_lock lock(mutex_);
    const topics::Topic* topic = table_->find(name);
    if (topic == nullptr) return fail(ErrorCode::not_found, "no such topic", name);
    MR_TRY_ASSIGN(const topics::ConfigMap settings, edit(topic->config));
    auto changed = std::make_shared<topics::Topic>(*topic);
    MR_TRY_ASSIGN(changed->log_config, topics::effective_config(defaults, settings));
    changed->config = settings;
    replace(changed);
    return changed;
  }
  Result<std::shared_ptr<const topics::Topic>> grow(const std::string& name, std::int32_t total) {
    const std::scoped_lock lock(mutex_);
    const topics::Topic* topic = table_->find(name);
    if (topic == nullptr) return fail(ErrorCode::not_found, "no such topic", name);
    MR_TRY_ASSIGN(const auto specs, topics::plan_partitions(*topic, total));
    auto changed = std::make_shared<topics::Topic>(*topic);
    for (const auto& spec : specs) changed->partitions.push_back(std::make_shared<MemoryPartition>(spec.name));
    replace(changed);
    return changed;
  }
  [[nodiscard]] MemoryPartition& partition(std::string_view topic, std::int32_t index) const {
    return static_cast<MemoryPartition&>(*table()->find(topic)->partitions.at(static_cast<std::size_t>(index)));
  }

  bool hold_appends = false;
  bool auto_create_topics = true;
  std::atomic<bool> congested_now = false;
  std::optional<Error> append_error;
  topics::LogConfig defaults;

 private:
  void replace(const std::shared_ptr<topics::Topic>& topic) {
    auto next = std::make_shared<topics::TopicTable>(*table_);
    ++next->version;
    next->topics[topic->name] = topic;
    table_ = next;
  }
  void commit_locked() {
    for (auto& request : std::exchange(held_, {})) {
      for (auto& item : request->items) {
        if (append_error) {
          item.outcome = std::unexpected(*append_error);
        } else {
          item.outcome = static_cast<MemoryPartition&>(*item.partition).append(item.batch);
        }
      }
      Executor& executor = *request->reply_to;
      executor.post([request = std::move(request)]() mutable {
        auto done = std::move(request->done);
        done(std::move(request));
      });
    }
  }

  mutable std::mutex mutex_;  // guards everything below; taken before a partition's
  std::shared_ptr<const topics::TopicTable> table_ = std::make_shared<topics::TopicTable>();
  std::vector<std::unique_ptr<topics::AppendRequest>> held_;
  Uuid cluster_id_ = Uuid::from_random(1, 2);
  std::int64_t last_producer_id_ = 999;
  std::uint64_t last_topic_id_ = 0;
};

}  // namespace millrace::kafka::testing
