// LogWaits: long polls of simulated consumers. A wait is answered once, after the high watermark passed its offset or
// the partition was deleted, and no wait that could be answered is forgotten. Thread: whoever has the turn.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "sim/log_world.h"

namespace millrace::sim {

class LogWaits final : public Executor {
 public:
  explicit LogWaits(LogWorld& world) : world_(world) {}

  void post(Task task) override { ready_.push_back(std::move(task)); }
  /// Waits for something new in a random partition.
  void wait_somewhere(Rng& rng);
  /// Runs what was posted.
  void run();
  /// No more appends come: what is still waiting must have nothing to be woken for.
  void check_rest();
  /// The process died.
  void forget();

 private:
  struct Wait {
    std::shared_ptr<storage::PartitionLog> partition;
    Offset beyond;
    [[nodiscard]] bool due() const { return partition->deleted() || partition->high_watermark() > beyond; }
  };

  LogWorld& world_;
  std::deque<Task> ready_;
  std::map<std::uint64_t, Wait> waiting_;
  std::uint64_t next_ = 0;
};

}  // namespace millrace::sim
