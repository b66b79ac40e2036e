#include "connect/runtime/sink_task.h"

#include "base/log.h"
#include "base/thread_name.h"
#include "connect/runtime/session.h"

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

SinkTask::SinkTask(TaskHost& host, Setup setup, StateChanged changed)
    : host_(host), setup_(std::move(setup)), changed_(std::move(changed)), paused_(setup_.paused) {}

SinkTask::~SinkTask() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void SinkTask::start() {
  thread_ = std::thread([this] {
    name_this_thread("sink-" + setup_.connector);
    run();
  });
}

void SinkTask::set_paused(bool paused) {
  paused_ = paused;
  executor_->post([] {});
}

void SinkTask::stop() {
  stopping_ = true;
  executor_->post([] {});
}

void SinkTask::wait(milliseconds duration) {
  executor_->run_until([this] { return stopping_.load(); }, duration);
}

void SinkTask::run() {
  Rng rng(setup_.seed);
  Backoff backoff(kFirstRestart, kRestartCap);
  int fatal = 0;
  while (!stopping_) {
    Result<void> ended;
    bool moved = false;
    bool finished = false;
    {
      Session session(*this);
      ended = session.run();
      moved = session.moved();
      finished = session.finished();
    }
    if (stopping_) break;
    if (finished) return changed_(State::stopped, "");
    if (ended) continue;
    if (moved) {
      backoff.reset();
      fatal = 0;
    }
    const Error& error = ended.error();
    const std::string trace = std::string(kConnectException) + ": " + error.message() + "\n";
    fatal = waiting_can_help(error.code) ? 0 : fatal + 1;
    log::error("sink_task_ended", {{"connector", setup_.connector},
                                   {"task", setup_.number},
                                   {"error", error.message()},
                                   {"final", fatal >= kFatalSessions}});
    if (fatal >= kFatalSessions) return changed_(State::failed, trace);
    changed_(State::restarting, trace);
    wait(backoff.next(rng));
  }
}

}  // namespace millrace::connect
