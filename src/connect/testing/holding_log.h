// HoldingLog: a log that takes appends and answers late: a disk that stands still. Thread: any.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "topics/topic_log.h"

namespace millrace::connect::testing {

class HoldingLog final : public topics::TopicLog {
 public:
  explicit HoldingLog(topics::TopicLog& log) : log_(log) {}

  /// From now on appends to `topic` wait; empty: they go on, and so do those that waited.
  void hold(std::string topic) {
    const bool go_on = topic.empty();
    auto waiting = state_.with([&](State& state) {
      state.topic = std::move(topic);
      return go_on ? std::exchange(state.waiting, {}) : decltype(state.waiting)();
    });
    for (auto& request : waiting) log_.append(std::move(request));
  }
  [[nodiscard]] std::size_t held() const {
    return state_.with([](const State& state) { return state.waiting.size(); });
  }

  void append(std::unique_ptr<topics::AppendRequest> request) override {
    state_.with([&](State& state) {
      const auto& first = request->items.front().partition->name().topic;
      if (!state.topic.empty() && first == state.topic) state.waiting.push_back(std::move(request));
    });
    if (request) log_.append(std::move(request));
  }
  [[nodiscard]] std::shared_ptr<const topics::TopicTable> table() const override { return log_.table(); }
  [[nodiscard]] std::uint64_t table_version() const override { return log_.table_version(); }
  [[nodiscard]] bool congested() const override { return log_.congested(); }
  void create_topic(topics::NewTopic topic, Executor& reply_to, TopicDone done) override {
    log_.create_topic(std::move(topic), reply_to, std::move(done));
  }
  void delete_topic(std::string name, Executor& reply_to, Done done) override {
    log_.delete_topic(std::move(name), reply_to, std::move(done));
  }
  void edit_config(std::string name, ConfigEdit edit, Executor& reply_to, TopicDone done) override {
    log_.edit_config(std::move(name), std::move(edit), reply_to, std::move(done));
  }
  void create_partitions(std::string name, std::int32_t total, Executor& reply_to, TopicDone done) override {
    log_.create_partitions(std::move(name), total, reply_to, std::move(done));
  }
  void delete_records(std::vector<topics::RecordDeletion> deletions, Executor& reply_to, DeletionsDone done) override {
    log_.delete_records(std::move(deletions), reply_to, std::move(done));
  }
  void next_producer_id(Executor& reply_to, ProducerIdDone done) override {
    log_.next_producer_id(reply_to, std::move(done));
  }
  [[nodiscard]] const Uuid& cluster_id() const override { return log_.cluster_id(); }
  [[nodiscard]] std::int32_t default_partitions() const override { return log_.default_partitions(); }
  [[nodiscard]] bool auto_create() const override { return log_.auto_create(); }
  [[nodiscard]] const topics::LogConfig& topic_defaults() const override { return log_.topic_defaults(); }

 private:
  struct State {
    std::string topic;
    std::vector<std::unique_ptr<topics::AppendRequest>> waiting;
  };
  topics::TopicLog& log_;
  Guarded<State> state_;
};

}  // namespace millrace::connect::testing
