#include "connect/runtime/session.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::connect {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAnswerLimit{30'000};
constexpr milliseconds kIdle{60'000};
constexpr milliseconds kAskAgain{20};

}  // namespace

SinkTask::Session::Session(SinkTask& task)
    : task_(task),
      settings_(task.setup_.settings),
      rng_(task.setup_.seed),
      batch_(task.setup_.sink_class->limits(task.setup_.settings)),
      retries_(task.setup_.sink_class->retries != nullptr ? task.setup_.sink_class->retries(task.setup_.settings)
                                                          : RetryLimits{}),
      backoff_(retries_.first, retries_.cap) {
  tolerant_ = settings_.choice("errors.tolerance") == "all";
  log_errors_ = settings_.flag("errors.log.enable");
  replay_ = !task.setup_.only.empty();
  // A record that fails in a replay is in the dead letter topic already.
  if (const std::string topic = settings_.text("errors.deadletterqueue.topic.name"); !topic.empty() && !replay_) {
    dead_letters_.emplace(task.host_.log,
                          DeadLetters::Options{topic, settings_.flag("errors.deadletterqueue.context.headers.enable"),
                                               task.setup_.connector, task.setup_.number},
                          rng_());
  }
}

SinkTask::Session::~Session() {
  for (Lane& lane : lanes_) lane.partition().cancel_waits(*task_.executor_);
  task_.host_.memory.add(-accounted_);
}

// While the groups are being loaded, at the process's start, they answer `unavailable`.
Result<topics::CommittedOffsets> SinkTask::Session::fetch_bookmarks() {
  const auto executor = task_.executor_;
  const MonoTime until = clock().mono() + kAnswerLimit;
  while (!ending()) {
    const auto answer = std::make_shared<std::optional<Result<topics::CommittedOffsets>>>();
    task_.host_.offsets.fetch(group_of(task_.setup_.connector), *executor,
                              [executor, answer](auto fetched) { *answer = std::move(fetched); });
    if (!executor->run_until([&] { return answer->has_value() || ending(); }, kAnswerLimit)) {
      return fail(ErrorCode::timed_out, "the bookmarks could not be read");
    }
    if (ending()) break;
    if (**answer || (*answer)->error().code != ErrorCode::unavailable || clock().mono() > until)
      return std::move(**answer);
    task_.wait(kAskAgain);
  }
  return fail(ErrorCode::closed, "the task is stopping");
}

Result<void> SinkTask::Session::open() {
  MR_TRY_ASSIGN(path_, RecordPath::make(settings_));
  MR_TRY_ASSIGN(const topics::CommittedOffsets bookmarks, fetch_bookmarks());
  lanes_.reserve(task_.setup_.partitions.size());
  for (const auto& partition : task_.setup_.partitions) {
    const auto bookmark = bookmarks.find(partition->name());
    const bool known = bookmark != bookmarks.end();
    const Offset next = known ? bookmark->second.offset : partition->log_start();
    const auto only = task_.setup_.only.find(partition->name());
    if (only != task_.setup_.only.end()) {
      lanes_.emplace_back(static_cast<std::uint32_t>(lanes_.size()), partition, *only->second.begin(), "");
      lanes_.back().restrict_to(&only->second);
      continue;
    }
    lanes_.emplace_back(static_cast<std::uint32_t>(lanes_.size()), partition,
                        std::min(next, partition->high_watermark()), known ? bookmark->second.metadata : "");
  }
  watched_.assign(lanes_.size(), false);
  TaskCounters& counters = *task_.counters_;
  counters.delivered = counters.dead = counters.skipped = 0;
  SinkContext context{.connector = task_.setup_.connector,
                      .task = task_.setup_.number,
                      .settings = settings_,
                      .surroundings = task_.host_.surroundings,
                      .rng = rng_.fork(),
                      .stopping = task_.stopping_,
                      .replay = replay_,
                      .record_plan = [this](std::uint32_t lane, Offset bookmark,
                                            const std::string& note) { return record_plan(lane, bookmark, note); },
                      .account =
                          [this](std::int64_t change) {
                            accounted_ += change;
                            return task_.host_.memory.add(change);
                          }};
  sink_ = task_.setup_.make ? task_.setup_.make(std::move(context)) : task_.setup_.sink_class->make(std::move(context));
  std::vector<LaneStart> starts;
  for (const Lane& lane : lanes_) starts.push_back({&lane.name(), lane.position(), lane.note()});
  return sink_->open(starts);
}

Result<void> SinkTask::Session::run() {
  MR_TRY(open());
  if (!ending()) task_.changed_(task_.paused_ ? State::paused : State::running, "");
  next_bookmark_ = clock().mono() + task_.host_.bookmark_interval;
  count();
  while (!ending() && !finished_) {
    if (task_.paused_.load(std::memory_order_relaxed)) {
      MR_TRY(pause());
      continue;
    }
    MR_TRY(gather());
    if (!batch_.untouched()) MR_TRY(deliver());
    if (batch_.untouched() && replay_) MR_TRY(finish_replay());
    MR_TRY(flush_if_due());
    if (clock().mono() >= next_bookmark_) MR_TRY(move_bookmarks());
    count();
  }
  return move_bookmarks();
}

Result<void> SinkTask::Session::pause() {
  MR_TRY(move_bookmarks());
  task_.changed_(State::paused, "");
  while (!ending() && task_.paused_.load(std::memory_order_relaxed)) {
    task_.executor_->run_until([&] { return ending() || !task_.paused_.load(std::memory_order_relaxed); }, kIdle);
  }
  if (!ending()) task_.changed_(State::running, "");
  return {};
}

// One lane is read until it has no more, then the next: so at most one lane holds blocks that were fetched and not
// used.
Result<void> SinkTask::Session::gather() {
  batch_.clear();
  std::size_t idle = 0;
  while (idle < lanes_.size() && !batch_.full()) {
    Lane& lane = lanes_[turn_];
    const std::size_t before = batch_.seen();
    MR_TRY(batch_.add_from(lane, *path_));
    if (batch_.full()) break;
    idle = batch_.seen() == before ? idle + 1 : 0;
    turn_ = (turn_ + 1) % lanes_.size();
  }
  if (batch_.full()) return {};
  if (batch_.untouched()) {
    // Markers and gaps alone: the bookmark moves past them.
    for (Lane& lane : lanes_) {
      if (lane.taken() < lane.position()) {
        task_.counters_->skipped += static_cast<std::uint64_t>(lane.position().value() - lane.taken().value());
        lane.take(lane.position());
      }
    }
    if (!replay_) wait_for_records(idle_limit());
    return {};
  }
  if (batch_.limits().linger.count() == 0 || replay_) return {};
  const MonoTime until = clock().mono() + batch_.limits().linger;
  while (!batch_.full() && !ending()) {
    const auto left = std::chrono::ceil<milliseconds>(until - clock().mono());
    if (left.count() <= 0) return {};
    wait_for_records(left);
    for (Lane& lane : lanes_) MR_TRY(batch_.add_from(lane, *path_));
  }
  return {};
}

milliseconds SinkTask::Session::idle_limit() const {
  milliseconds limit = kIdle;
  const bool behind = std::ranges::any_of(lanes_, [this](const Lane& lane) {
    return sink_->delivered(lane.number()).value_or(lane.taken()) > lane.committed();
  });
  if (behind) limit = std::min(limit, std::chrono::ceil<milliseconds>(next_bookmark_ - clock().mono()));
  if (const auto flush = sink_->next_flush()) limit = std::min(limit, *flush - clock().wall());
  return std::max(limit, milliseconds(1));
}

void SinkTask::Session::watch(Lane& lane) {
  if (watched_[lane.number()]) return;
  watched_[lane.number()] = true;
  // The task keeps the executor alive as long as a partition may post to it; cancel_waits() ends that.
  lane.partition().when_beyond(lane.position(), *task_.executor_,
                               [this, alive = std::weak_ptr<bool>(woken_), number = lane.number()] {
                                 const auto woken = alive.lock();
                                 if (!woken) return;  // of a session that is over
                                 watched_[number] = false;
                                 *woken = true;
                               });
}

void SinkTask::Session::wait_for_records(milliseconds limit) {
  for (Lane& lane : lanes_) watch(lane);
  *woken_ = false;
  const bool paused = task_.paused_.load(std::memory_order_relaxed);
  task_.executor_->run_until(
      [&] { return *woken_ || ending() || task_.paused_.load(std::memory_order_relaxed) != paused; }, limit);
}

Result<void> SinkTask::Session::deliver() {
  MR_TRY(give_up(batch_.failed(), false));
  const std::uint64_t dead_before = task_.counters_->dead;
  MR_TRY(put_all(batch_.records()));
  TaskCounters& counters = *task_.counters_;
  std::uint64_t advanced = 0;
  for (Lane& lane : lanes_) {
    advanced += static_cast<std::uint64_t>(lane.position().value() - lane.taken().value());
    lane.take(lane.position());
  }
  counters.delivered += batch_.records().size() - (counters.dead - dead_before);
  counters.skipped += batch_.dropped() + (advanced - batch_.seen());
  counters.batches += 1;
  counters.bytes += batch_.bytes();
  moved_ = true;
  return {};
}

Result<void> SinkTask::Session::put_all(std::span<const SinkRecord> records) {
  backoff_.reset();
  while (!records.empty()) {
    Outcome outcome = sink_->put(records);
    if (ending() && outcome.kind != Outcome::Kind::done) return fail(ErrorCode::closed, "the task is stopping");
    MR_TRY(reject(records, outcome.rejected));
    if (outcome.kind == Outcome::Kind::done) return {};
    if (outcome.kind == Outcome::Kind::fatal) return std::unexpected<Error>(std::move(outcome.error));
    records = records.subspan(std::min(outcome.taken, records.size()));
    if (outcome.kind == Outcome::Kind::retry) {
      MR_TRY(wait_before_retry(outcome));
      continue;
    }
    if (records.size() == 1) {
      const Rejection alone{0, outcome.error_class, outcome.error.message()};
      return reject(records, std::span(&alone, 1));
    }
    MR_TRY(put_all(records.first(records.size() / 2)));
    records = records.subspan(records.size() / 2);
  }
  return {};
}

Result<void> SinkTask::Session::wait_before_retry(const Outcome& outcome) {
  if (retries_.attempts >= 0 && backoff_.attempts() >= retries_.attempts) {
    Error error = outcome.error;
    error.detail += " (after " + std::to_string(retries_.attempts) + " retries)";
    error.code = ErrorCode::unavailable;
    return std::unexpected<Error>(std::move(error));
  }
  const milliseconds wait = backoff_.next(rng_, outcome.retry_after);
  task_.counters_->retries += 1;
  log::warn("sink_retry", {{"connector", task_.setup_.connector},
                           {"task", task_.setup_.number},
                           {"attempt", backoff_.attempts()},
                           {"wait_ms", wait.count()},
                           {"error", outcome.error.message()}});
  task_.wait(wait);
  return ending() ? Result<void>(fail(ErrorCode::closed, "the task is stopping")) : Result<void>();
}

Result<void> SinkTask::Session::reject(std::span<const SinkRecord> records, std::span<const Rejection> rejections) {
  for (const bool tolerated : {false, true}) {
    std::vector<FailedRecord> failed;
    for (const Rejection& rejection : rejections) {
      if (rejection.index >= records.size() || rejection.tolerated != tolerated) continue;
      failed.push_back({records[rejection.index].origin(), Stage::task_put,
                        std::string(task_.setup_.sink_class->class_name), rejection.error_class, rejection.message});
    }
    MR_TRY(give_up(failed, tolerated));
  }
  return {};
}

Result<void> SinkTask::Session::give_up(std::span<const FailedRecord> failed, bool tolerated) {
  if (failed.empty()) return {};
  std::vector<FailureLedger::Failure> entries;
  for (const FailedRecord& record : failed) {
    entries.push_back({{task_.setup_.connector, *record.origin.partition, record.origin.offset},
                       std::string(to_string(record.stage)),
                       record.error_class,
                       record.message});
    if (log_errors_ || !(tolerant_ || tolerated)) {
      log::error("record_failed", {{"connector", task_.setup_.connector},
                                   {"topic", record.origin.partition->topic},
                                   {"partition", record.origin.partition->partition.value()},
                                   {"offset", record.origin.offset.value()},
                                   {"stage", to_string(record.stage)},
                                   {"error", record.message}});
    }
  }
  const auto executor = task_.executor_;
  const auto answer = std::make_shared<std::optional<Result<void>>>();
  task_.host_.failures.record(std::move(entries), executor, [answer](Result<void> written) { *answer = written; });
  if (!executor->run_until([&] { return answer->has_value() || ending(); }, kAnswerLimit)) {
    return fail(ErrorCode::timed_out, "the failure ledger took no entry");
  }
  if (!answer->has_value()) return fail(ErrorCode::closed, "the task is stopping");
  MR_TRY(**answer);
  if (replay_) {
    for (const FailedRecord& record : failed) failed_again_.emplace(*record.origin.partition, record.origin.offset);
    task_.counters_->dead += failed.size();
    return {};
  }
  if (!tolerant_ && !tolerated) {
    return fail(ErrorCode::invalid_argument, "Tolerance exceeded in error handler",
                failed.front().error_class + ": " + failed.front().message);
  }
  if (dead_letters_) MR_TRY(dead_letters_->report(failed));
  task_.counters_->dead += failed.size();
  return {};
}

Result<void> SinkTask::Session::flush_if_due() {
  backoff_.reset();
  while (!ending()) {
    const auto due = sink_->next_flush();
    if (!due || *due > clock().wall()) return {};
    const Outcome outcome = sink_->flush();
    if (outcome.kind == Outcome::Kind::fatal) return std::unexpected<Error>(outcome.error);
    if (outcome.kind == Outcome::Kind::done) return {};
    MR_TRY(wait_before_retry(outcome));
  }
  return {};
}

Result<void> SinkTask::Session::finish_replay() {
  backoff_.reset();
  while (!ending()) {
    const Outcome outcome = sink_->finish();
    if (outcome.kind == Outcome::Kind::fatal) return std::unexpected<Error>(outcome.error);
    if (outcome.kind != Outcome::Kind::done) {
      MR_TRY(wait_before_retry(outcome));
      continue;
    }
    std::vector<LedgerKey> delivered;
    for (const auto& [partition, offsets] : task_.setup_.only) {
      for (const Offset offset : offsets) {
        if (!failed_again_.contains({partition, offset}))
          delivered.push_back({task_.setup_.connector, partition, offset});
      }
    }
    task_.host_.failures.forget_later(std::move(delivered));
    finished_ = true;
    return {};
  }
  return {};
}

Result<void> SinkTask::Session::commit(const topics::CommittedOffsets& offsets) {
  const auto executor = task_.executor_;
  const auto answer = std::make_shared<std::optional<Result<void>>>();
  task_.host_.offsets.commit(group_of(task_.setup_.connector), offsets, *executor,
                             [executor, answer](Result<void> written) { *answer = std::move(written); });
  if (!executor->run_until([&] { return answer->has_value(); }, kAnswerLimit)) {
    return fail(ErrorCode::timed_out, "the bookmarks could not be written");
  }
  return **answer;
}

Result<void> SinkTask::Session::record_plan(std::uint32_t number, Offset bookmark, const std::string& note) {
  if (replay_) return {};
  Lane& lane = lanes_[number];
  MR_TRY(commit({{lane.name(), {bookmark, note}}}));
  lane.commit(bookmark);
  return {};
}

Result<void> SinkTask::Session::move_bookmarks() {
  if (replay_) return {};
  next_bookmark_ = clock().mono() + task_.host_.bookmark_interval;
  topics::CommittedOffsets moved;
  for (Lane& lane : lanes_) {
    const Offset safe = sink_->delivered(lane.number()).value_or(lane.taken());
    if (safe > lane.committed()) moved[lane.name()] = {safe};
  }
  if (moved.empty()) return {};
  MR_TRY(commit(moved));
  for (Lane& lane : lanes_) {
    if (const auto found = moved.find(lane.name()); found != moved.end()) lane.commit(found->second.offset);
  }
  return {};
}

void SinkTask::Session::count() {
  std::int64_t produced = 0;
  std::int64_t pending = 0;
  for (const Lane& lane : lanes_) {
    const std::int64_t end = lane.partition().high_watermark().value();
    produced += end - lane.start().value();
    pending += end - lane.taken().value();
  }
  task_.counters_->produced = static_cast<std::uint64_t>(produced);
  task_.counters_->pending = static_cast<std::uint64_t>(pending);
}

}  // namespace millrace::connect
