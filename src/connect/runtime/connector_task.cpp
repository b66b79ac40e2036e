#include "connect/runtime/connector_task.h"

#include <utility>

#include "base/log.h"
#include "base/rng.h"
#include "base/thread_name.h"
#include "base/thread_priority.h"
#include "connect/runtime/backoff.h"
#include "connect/runtime/failed_record.h"

namespace millrace::connect {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRestart{500};
constexpr milliseconds kRestartCap{60'000};
/// Sessions in a row that ended with an error no waiting mends before the task is FAILED.
constexpr int kFatalSessions = 3;

bool waiting_can_help(ErrorCode code) {
  switch (code) {
    case ErrorCode::unavailable:
    case ErrorCode::timed_out:
    case ErrorCode::busy:
    case ErrorCode::disk_full:
    case ErrorCode::closed:
    case ErrorCode::fenced:
      return true;
    default:
      return false;
  }
}

}  // namespace

void ConnectorTask::start() {
  thread_ = std::thread([this] {
    name_this_thread(std::string(kind_) + "-" + identity_.connector);
    run();
  });
}

void ConnectorTask::set_paused(bool paused) {
  paused_ = paused;
  executor_->post([] {});
}

void ConnectorTask::stop() {
  stopping_ = true;
  executor_->post([] {});
}

void ConnectorTask::end() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void ConnectorTask::wait(milliseconds duration) {
  executor_->run_until([this] { return stopping_.load(); }, duration);
}

void ConnectorTask::give_way() {
  if (!std::exchange(gives_way_, true)) lower_this_thread(identity_.nice);
}

void ConnectorTask::run() {
  Rng rng(identity_.seed);
  Backoff backoff(kFirstRestart, kRestartCap);
  int fatal = 0;
  while (!stopping_) {
    const Ended ended = run_session();
    if (stopping_) break;
    if (ended.finished) return changed_(State::stopped, "");
    if (ended.how) continue;
    if (ended.moved) {
      backoff.reset();
      fatal = 0;
    }
    const std::string message = identity_.mask.hide(ended.how.error().message());
    const std::string trace = std::string(kConnectException) + ": " + message + "\n";
    fatal = waiting_can_help(ended.how.error().code) ? 0 : fatal + 1;
    log::error("task_ended", {{"connector", identity_.connector},
                              {"task", identity_.number},
                              {"error", message},
                              {"final", fatal >= kFatalSessions}});
    if (fatal >= kFatalSessions) return changed_(State::failed, trace);
    changed_(State::restarting, trace);
    wait(backoff.next(rng));
  }
}

}  // namespace millrace::connect
