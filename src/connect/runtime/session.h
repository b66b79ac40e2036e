// SinkTask::Session: one run of a task, from opening the sink to the error, stop or new assignment that ends it.
// Private to sink_task.cpp and session*.cpp.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connect/runtime/backoff.h"
#include "connect/runtime/dead_letters.h"
#include "connect/runtime/sink_task.h"

namespace millrace::connect {

class SinkTask::Session {
 public:
  explicit Session(SinkTask& task);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  /// Returns when the task is to stop (success) or this session cannot go on. The error's code tells whether waiting
  /// can help.
  Result<void> run();
  /// Whether anything was delivered: then a new session starts its back-off afresh.
  [[nodiscard]] bool moved() const { return moved_; }
  /// A replay has come to its end.
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  static constexpr std::chrono::milliseconds kAnswerLimit{30'000};

  Result<void> open();
  Result<topics::CommittedOffsets> fetch_bookmarks();
  Result<void> feed_from_archive();
  Result<void> gather();
  Result<void> deliver();
  /// Begins to deliver the batch, when the sink takes several at once.
  Result<void> launch();
  /// Waits for the oldest batch under way, and sees it through.
  Result<void> collect();
  Result<void> collect_all();
  /// The batch is done: its lanes go on at `ends`.
  void settle(const Batch& batch, const std::vector<Offset>& ends);
  [[nodiscard]] std::vector<Offset> positions() const;
  /// Puts a run of records until the sink has taken all of it, halving it when the sink cannot tell who is at fault.
  Result<void> put_all(std::span<const SinkRecord> records);
  Result<void> flush_if_due();
  Result<void> finish_replay();
  Result<void> wait_before_retry(const Outcome& outcome);
  Result<void> reject(std::span<const SinkRecord> records, std::span<const Rejection> rejections);
  Result<void> give_up(std::span<const FailedRecord> records, bool tolerated);
  /// Records that the destination has, or will not get, and that come again after a crash: no bookmark on disk is
  /// behind them.
  [[nodiscard]] std::size_t unmarked() const;
  /// Before a batch is delivered: waits until what would come again after a crash is as bounded as connect.md says.
  Result<void> bound_repetition();
  [[nodiscard]] bool bookmark_due() const;
  Result<void> move_bookmarks();
  /// The answer of the commit under way, if it is there; `wait`: until it is.
  Result<void> settle_commit(bool wait);
  /// All bookmarks on disk where the sink is: before a pause, at the end.
  Result<void> bring_bookmarks_up();
  Result<void> commit(const topics::CommittedOffsets& offsets);
  Result<void> record_plan(std::uint32_t lane, Offset bookmark, const std::string& note);
  void wait_for_records(std::chrono::milliseconds limit);
  void watch(Lane& lane);
  /// Counts bytes against the memory of all sinks; what is left of them is given back at the end.
  MemoryLevel account(std::int64_t change);
  void count();
  Result<void> pause();
  [[nodiscard]] std::chrono::milliseconds idle_limit() const;
  [[nodiscard]] bool ending() const { return task_.stopping_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool paused() const { return task_.paused_.load(std::memory_order_relaxed); }
  [[nodiscard]] const Clock& clock() const { return *task_.host_.surroundings.clock; }

  SinkTask& task_;
  BlockingLog log_;
  const Settings& settings_;
  Rng rng_;
  std::vector<Lane> lanes_;
  std::vector<bool> watched_;  // by lane: a wait on its end is registered
  std::size_t turn_ = 0;       // the lane that is read from next
  std::optional<RecordPath> path_;
  std::unique_ptr<Sink> sink_;
  BatchLimits limits_;
  std::unique_ptr<Batch> batch_;  // being gathered
  struct Flight {
    std::unique_ptr<Batch> batch;
    std::size_t slot = 0;
    std::vector<Offset> ends;  // of the lanes, behind this batch
    std::uint64_t given_up = 0;
  };
  std::deque<Flight> under_way_;
  std::vector<std::unique_ptr<Batch>> spare_;  // their memory is used again
  std::vector<std::size_t> free_slots_;
  std::size_t bytes_under_way_ = 0;
  RetryLimits retries_;
  Backoff backoff_;
  std::optional<DeadLetters> dead_letters_;
  TaskCounts counts_;
  std::uint64_t given_up_ = 0;  // of the batch under way
  bool tolerant_ = false;
  bool log_errors_ = false;
  bool moved_ = false;
  bool replay_ = false;
  bool finished_ = false;
  std::set<std::pair<TopicPartition, Offset>> failed_again_;     // of a replay
  std::int64_t accounted_ = 0;                                   // of the memory of all sinks
  std::shared_ptr<bool> woken_ = std::make_shared<bool>(false);  // set by the waits, on this thread
  MonoTime last_bookmark_{0};                                    // begun, or tried
  std::shared_ptr<std::optional<Result<void>>> committing_;      // null: no commit is under way
  topics::CommittedOffsets commit_;
  MonoTime commit_until_{0};
};

}  // namespace millrace::connect
