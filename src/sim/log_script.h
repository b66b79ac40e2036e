// LogScript: what the log thread is asked to do in one life, drawn from the seed: commits of several writers to several
// partitions, retries and duplicates of idempotent ones, changes of partitions, retention, producer ids, a disk that
// fills and gets room again. The writers outlive the log's process, as devices do. Thread: the simulated log thread's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sim/log_world.h"

namespace millrace::sim {

class LogScript {
 public:
  explicit LogScript(LogWorld& world) : world_(world), rng_(world.rng.fork()) {}

  /// Runs up to `steps` steps, calling `yield` between them; ends early when the process is dying.
  void run(std::uint64_t steps, const std::function<void()>& yield);
  /// After a recovery told whether the commit in doubt is there.
  void learn(bool doubt_kept);
  /// One commit that must succeed within a bounded number of tries, because nothing fails any more.
  void must_commit();

 private:
  struct Batch {
    std::size_t writer = 0;
    TopicPartition to;
    std::int32_t sequence = kNoSequence;
    std::vector<RecordName> records;
    std::vector<std::int64_t> timestamps;
    std::optional<Offset> known_base;     // the log has it: sending it again is a duplicate
    std::optional<Offset> doubtful_base;  // where it is if the commit in doubt is there
  };
  struct Lane {
    std::int32_t next_sequence = 0;
    std::optional<Batch> newest;  // acknowledged
  };
  struct Writer {
    ProducerId id = kNoProducer;
    std::uint64_t next_number = 0;
    std::map<TopicPartition, Lane> lanes;
    [[nodiscard]] bool idempotent() const { return id != kNoProducer; }
  };
  enum class Expected : std::uint8_t { appended, duplicate, out_of_order };
  struct Planned {
    Batch batch;
    Expected expected = Expected::appended;
    Offset base;
    bool answer_matters = true;  // of an idempotent writer that repeats it until answered
  };
  struct Plan {
    ModelGroup group;
    std::vector<storage::PartitionChange> changes;
    std::vector<std::optional<ErrorCode>> change_errors;  // what must be answered; nullopt: success
    std::vector<TopicPartition> touched;                  // by changes
    std::vector<Planned> batches;
    std::vector<storage::Append> appends;
    std::vector<Batch> held_back;  // unanswered ones whose partition is being changed
  };

  void commit(bool with_changes);
  void plan_change(Plan& plan);
  void plan_batches(Plan& plan);
  void plan_append(Plan& plan, Batch batch, Expected expected, bool answer_matters);
  std::optional<Batch> new_batch(const Plan& plan);
  [[nodiscard]] Batch make_batch(std::size_t writer, const TopicPartition& to, std::int32_t sequence);
  [[nodiscard]] SharedBytes encode(const Batch& batch) const;
  void succeeded(Plan& plan);
  void failed(Plan& plan, bool in_doubt);
  void check_change(const storage::PartitionChange& change, const std::optional<ErrorCode>& expected);
  void seal();
  void enforce_retention();
  void new_writer();
  storage::LogConfig random_config();
  void forget_lanes(const TopicPartition& name);

  LogWorld& world_;
  Rng rng_;
  std::vector<Writer> writers_{Writer{}};
  std::vector<Batch> unanswered_;  // of idempotent writers, in their order: to be sent again
  std::uint64_t topics_made_ = 0;
  bool clock_jumps_ = rng_.chance(1, 3);
};

}  // namespace millrace::sim
