// SimGroupStore: a GroupStore whose records become durable when the simulation says so, and which a crash leaves with
// some of those that were not. Thread: the simulation's.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "kafka/groups/coordinator.h"

namespace millrace::sim {

class SimGroupStore final : public kafka::GroupStore {
 public:
  void store(std::string_view /*group*/, std::vector<kafka::GroupRecord> records, Stored stored) override {
    waiting_.push_back({std::move(records), std::move(stored)});
  }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  /// The first `count` of what waits becomes durable, and is told so.
  void settle(std::size_t count, kafka::Now now) {
    std::vector<Write> settled(std::make_move_iterator(waiting_.begin()),
                               std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(count)));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    for (Write& write : settled) keep(write);
    for (Write& write : settled) write.stored(now, kafka::KafkaError::none);
  }
  /// Power is cut: a beginning of what waited may have reached the disk. Nobody is told.
  void crash(Rng& rng) {
    const std::size_t kept = rng.below(waiting_.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) keep(waiting_[i]);
    waiting_.clear();
  }
  /// Keeps the last record of every key, as a compacted topic does; old tombstones may go too.
  void compact(bool drop_tombstones);
  [[nodiscard]] const std::vector<kafka::GroupRecord>& durable() const { return durable_; }

 private:
  struct Write {
    std::vector<kafka::GroupRecord> records;
    Stored stored;
  };
  void keep(Write& write) { durable_.insert(durable_.end(), write.records.begin(), write.records.end()); }

  std::vector<Write> waiting_;
  std::vector<kafka::GroupRecord> durable_;
};

}  // namespace millrace::sim
