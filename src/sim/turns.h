// Turns: several threads of which exactly one runs at a time, handed on at yield() in an order drawn from the seed.
//
// So code written for real threads (the log thread, the segment writer, readers) is interleaved at every disk operation
// and still repeats from its seed. Locks are fine as long as none is held at a yield: a thread that waits for one held
// elsewhere would stop the run, which is reported after a minute as "a lock is held over I/O".
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/rng.h"

namespace millrace::sim {

class Turns {
 public:
  /// `rng` must outlive this.
  explicit Turns(Rng& rng) : rng_(rng) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  ~Turns();

  /// Before run().
  void add(std::function<void()> body);
  /// Runs every body to its end.
  void run();
  /// Inside a body: another may go on. Elsewhere: nothing.
  void yield();

 private:
  struct Player {
    std::thread thread;
    std::condition_variable turn;
    bool finished = false;
  };

  // Draws who is next among those not finished; null when all are. With mutex_ held.
  Player* draw();
  void pass_to(Player* next);

  Rng& rng_;
  std::mutex mutex_;  // guards everything below; the only one here
  std::condition_variable over_;
  std::vector<std::unique_ptr<Player>> players_;
  Player* current_ = nullptr;
  std::uint64_t turns_ = 0;
  bool running_ = false;
};

}  // namespace millrace::sim
