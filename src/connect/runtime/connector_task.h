// ConnectorTask: a thread that runs one task of a connector, source or sink: session after session, with back-off when
// one ends with an error.
//
//   RESTARTING ──► RUNNING ◄──► PAUSED        a session: open, carry records until something ends it
//        ▲            │ error
//        └─ back-off ─┴──► FAILED             after kFatalSessions sessions that no waiting could help
//
// Thread: constructed, paused and stopped by its owner; run_session() on its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/queue_executor.h"
#include "base/result.h"
#include "connect/runtime/blocking_log.h"
#include "connect/runtime/secret_mask.h"
#include "connect/runtime/state.h"
#include "connect/runtime/task_counters.h"

namespace millrace::connect {

class ConnectorTask {
 public:
  struct Identity {
    std::string connector;
    std::int32_t number = 0;
    bool paused = false;
    std::uint64_t seed = 0;
    int nice = 0;       // by how much its thread gives way to others once it is open
    SecretMask mask{};  // for every text that leaves the task
  };
  /// Told on the task's thread at every change. `trace` is empty unless something failed.
  using StateChanged = std::function<void(State state, const std::string& trace)>;

  virtual ~ConnectorTask() = default;
  ConnectorTask(const ConnectorTask&) = delete;
  ConnectorTask& operator=(const ConnectorTask&) = delete;

  void start();
  void set_paused(bool paused);
  /// Asks the task to end; the destructor waits for it.
  void stop();
  [[nodiscard]] std::shared_ptr<const TaskCounters> shared_counters() const { return counters_; }

 protected:
  ConnectorTask(const char* kind, const Identity& identity, StateChanged changed)
      : changed_(std::move(changed)), paused_(identity.paused), kind_(kind), identity_(identity) {}

  struct Ended {
    Result<void> how;
    bool moved = false;     // something was delivered: back-off starts afresh
    bool finished = false;  // the task has done all it was made for
  };
  /// Returns when the task is to stop (success) or cannot go on; the error's code tells whether waiting can help.
  virtual Ended run_session() = 0;
  /// From here on the thread claims no more than what others leave: the task is open, and what follows is carrying
  /// records.
  void give_way();
  /// For destructors of derived classes: stops and waits.
  void end();

  /// Waits for `duration`, or until the task is to stop.
  void wait(std::chrono::milliseconds duration);
  /// Runs what is posted to the executor until `done()`: at most `limit`, and once the task is to stop at most
  /// kLastAnswer, so that a log that takes nothing cannot hold up the end of the process.
  template <class Done>
  bool await(Done done, std::chrono::milliseconds limit) {
    if (executor_->run_until([&] { return done() || stopping_.load(); }, limit) && done()) return true;
    return stopping_ && executor_->run_until(done, std::min(limit, kLastAnswer));
  }
  static constexpr std::chrono::milliseconds kLastAnswer{2'000};
  static constexpr std::chrono::milliseconds kLogAnswer{60'000};
  [[nodiscard]] BlockingLog blocking(topics::TopicLog& log) {
    return {log, executor_, [this](const std::function<bool()>& done) { return await(done, kLogAnswer); }};
  }

  StateChanged changed_;
  std::shared_ptr<TaskCounters> counters_ = std::make_shared<TaskCounters>();
  std::shared_ptr<QueueExecutor> executor_ = std::make_shared<QueueExecutor>();
  std::atomic<bool> stopping_{false};
  std::atomic<bool> paused_{false};

 private:
  void run();

  const char* kind_;
  const Identity identity_;
  bool gives_way_ = false;
  std::thread thread_;
};

}  // namespace millrace::connect
