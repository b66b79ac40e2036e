// RecordingTopicLog: a TopicLog in memory whose answers come when the test says so, so that everything between an
// append and its completion can be looked at. Thread: the test's.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/record_reader.h"
#include "topics/topic_config.h"
#include "topics/topic_log.h"

namespace millrace::pipeline {

class RecordingPartition final : public topics::Partition {
 public:
  explicit RecordingPartition(TopicPartition name) : name_(std::move(name)) {}
  [[nodiscard]] const TopicPartition& name() const override { return name_; }
  [[nodiscard]] Offset log_start() const override { return Offset(0); }
  [[nodiscard]] Offset high_watermark() const override { return Offset(static_cast<std::int64_t>(values.size())); }
  [[nodiscard]] bool deleted() const override { return false; }
  [[nodiscard]] std::uint64_t size_bytes() const override { return 0; }
  Result<storage::ReadResult> read(Offset, std::size_t) override {
    return fail(ErrorCode::internal, "not in this fake");
  }
  Result<std::optional<storage::TimestampedOffset>> find_timestamp(std::int64_t) override { return std::nullopt; }
  Result<std::optional<storage::TimestampedOffset>> find_max_timestamp() override { return std::nullopt; }
  void when_beyond(Offset, Executor&, Task) override {}
  void cancel_waits(Executor&) override {}

  struct Record {
    std::string key;
    std::string value;
    bool tombstone = false;
  };
  std::vector<Record> values;

 private:
  TopicPartition name_;
};

class RecordingTopicLog final : public topics::TopicLog {
 public:
  void add_topic(const std::string& name, std::int32_t partitions, topics::ConfigMap config = {}) {
    auto topic = std::make_shared<topics::Topic>();
    topic->name = name;
    topic->log_config = *topics::effective_config({}, config);
    for (std::int32_t i = 0; i < partitions; ++i) {
      topic->partitions.push_back(std::make_shared<RecordingPartition>(TopicPartition{name, PartitionIndex(i)}));
    }
    auto next = std::make_shared<topics::TopicTable>(*table_);
    next->topics[name] = std::move(topic);
    ++next->version;
    table_ = std::move(next);
  }
  RecordingPartition& partition(const std::string& topic, std::size_t index) {
    return static_cast<RecordingPartition&>(*table_->find(topic)->partitions[index]);
  }
  /// Everything durable in a topic, partitions one behind the other.
  std::vector<RecordingPartition::Record> records(const std::string& topic) {
    std::vector<RecordingPartition::Record> all;
    for (std::size_t i = 0; i < table_->find(topic)->partitions.size(); ++i) {
      for (const auto& record : partition(topic, i).values) all.push_back(record);
    }
    return all;
  }

  // Answers the oldest append; `error` refuses all of it.
  void complete_one(const Error* error = nullptr) {
    auto request = std::move(pending.front());
    pending.pop_front();
    for (topics::PartitionAppend& item : request->items) {
      if (error != nullptr) {
        item.outcome = std::unexpected<Error>(*error);
        continue;
      }
      const auto header = validate_produced_batch(item.batch.view());
      require(header.has_value());
      RecordReader reader = RecordReader::of_batch(*header, item.batch.view());
      while (!reader.done()) {
        const auto record = reader.next();
        const RecordView& view = record->record;
        static_cast<RecordingPartition&>(*item.partition)
            .values.push_back({std::string(as_text(view.key.value_or(ByteView{}))),
                               std::string(as_text(view.value.value_or(ByteView{}))), !view.value.has_value()});
      }
    }
    auto done = std::move(request->done);
    done(std::move(request));
  }
  void complete_creation(bool fine) {
    auto [name, done] = std::move(creations.front());
    creations.pop_front();
    if (fine) {
      add_topic(name, 1);
      done(table_->topics.find(name)->second);
    } else {
      done(fail(ErrorCode::invalid_argument, "not allowed here"));
    }
  }

  [[nodiscard]] std::shared_ptr<const topics::TopicTable> table() const override { return table_; }
  [[nodiscard]] std::uint64_t table_version() const override { return table_->version; }
  void append(std::unique_ptr<topics::AppendRequest> request) override { pending.push_back(std::move(request)); }
  [[nodiscard]] bool congested() const override { return is_congested; }
  void create_topic(topics::NewTopic topic, Executor&, TopicDone done) override {
    creations.emplace_back(topic.name, std::move(done));
  }
  void delete_topic(std::string, Executor&, Done) override {}
  void edit_config(std::string, ConfigEdit, Executor&, TopicDone) override {}
  void create_partitions(std::string, std::int32_t, Executor&, TopicDone) override {}
  void delete_records(std::vector<topics::RecordDeletion>, Executor&, DeletionsDone) override {}
  void next_producer_id(Executor&, ProducerIdDone) override {}
  [[nodiscard]] const Uuid& cluster_id() const override { return cluster_; }
  [[nodiscard]] std::int32_t default_partitions() const override { return 1; }
  [[nodiscard]] bool auto_create() const override { return creates; }
  [[nodiscard]] const topics::LogConfig& topic_defaults() const override { return defaults_; }

  std::deque<std::unique_ptr<topics::AppendRequest>> pending;
  std::deque<std::pair<std::string, TopicDone>> creations;
  bool is_congested = false;
  bool creates = false;

 private:
  static void require(bool fine) {
    if (!fine) throw std::runtime_error("the pipeline handed over a batch that does not validate");
  }
  std::shared_ptr<const topics::TopicTable> table_ = std::make_shared<topics::TopicTable>();
  Uuid cluster_;
  topics::LogConfig defaults_;
};

}  // namespace millrace::pipeline
