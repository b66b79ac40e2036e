// GroupShard: the groups of one loop: their coordinator, its records, its timer. Loads what the log holds at the start
// and answers "loading" until then: the coordinator is the loader's as long as refusal() says so, and the loop's from
// then on. Thread: the loop's, but for the constructor, abandon_loading() and snapshot(). It must outlive the loader,
// the loop's last task and the log's last reply.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "kafka/groups/coordinator.h"
#include "kafka/groups/group_log.h"
#include "kafka/groups/group_metrics.h"
#include "kafka/server/timed_executor.h"

namespace millrace::kafka {

class GroupShard {
 public:
  /// Number `index` of `count` shards; it has the groups of the partitions index, index + count, … of the offsets
  /// topic.
  GroupShard(TimedExecutor& loop, topics::TopicLog& log, const Clock& clock, const GroupSettings& settings,
             GroupMetrics& metrics, std::int32_t index, std::int32_t count, Rng rng);

  /// `loader` reads the log.
  void start(Executor& loader);
  /// What is not read yet will not be.
  void abandon_loading() { abandoned_.store(true, std::memory_order_relaxed); }
  /// Answers everybody who waits; what comes later is told to find another coordinator.
  void stop();

  [[nodiscard]] TimedExecutor& loop() { return loop_; }
  /// Why nothing can be asked now, or none.
  [[nodiscard]] KafkaError refusal() const { return refusal_; }
  /// Lets `event(coordinator, now)` happen and hands out the answers.
  template <class Event>
  void run(Event&& event) {
    std::forward<Event>(event)(coordinator_, this->now());
    settle();
  }
  /// What metrics show: as of about a second ago. Thread: any.
  [[nodiscard]] std::shared_ptr<const GroupSnapshot> snapshot() const {
    return snapshot_.with([](const auto& snapshot) { return snapshot; });
  }

 private:
  [[nodiscard]] Now now() const { return {clock_.mono(), clock_.wall()}; }
  void load_record(ByteView key, std::optional<ByteView> value);
  void finish_loading(const Result<void>& loaded);
  void settle();
  void set_timer();
  void keep_house();
  void drop_deleted_topics();
  void drop_offsets_of_missing_topics();
  void publish();

  TimedExecutor& loop_;
  topics::TopicLog& log_;
  const Clock& clock_;
  const GroupSettings settings_;
  GroupMetrics& metrics_;
  const std::int32_t index_;
  const std::int32_t count_;
  GroupLog group_log_;
  GroupCoordinator coordinator_;
  GroupCoordinator::Counts counted_;
  std::atomic<bool> abandoned_{false};
  bool stopped_ = false;
  KafkaError refusal_ = KafkaError::coordinator_load_in_progress;
  std::size_t unreadable_ = 0;
  MonoTime loading_since_{};
  TimedExecutor::TimerId timer_ = 0;
  MonoTime timer_at_ = MonoTime::max();
  TimedExecutor::TimerId house_timer_ = 0;
  std::shared_ptr<const topics::TopicTable> table_;
  Guarded<std::shared_ptr<const GroupSnapshot>> snapshot_;
};

}  // namespace millrace::kafka
