#include "connect/runtime/session.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "connect/runtime/failure_report.h"

namespace millrace::connect {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kIdle{60'000};
/// Of records in batches under way, beside the one that is gathered.
constexpr std::size_t kBytesUnderWay = 16_MiB;
/// A record under way, and what it was encoded as.
constexpr std::int64_t kCopiesUnderWay = 2;
/// A sink that keeps something looks so often whether others need the memory.
constexpr milliseconds kLookAtMemory{1000};
/// JSON of the archive that one replay keeps in memory.
constexpr std::size_t kArchivedBytes = 64_MiB;

}  // namespace

SinkTask::Session::Session(SinkTask& task)
    : task_(task),
      log_(task.blocking(task.host_.log)),
      settings_(task.setup_.settings),
      rng_(task.setup_.seed),
      limits_(task.setup_.sink_class->limits(task.setup_.settings)),
      batch_(std::make_unique<Batch>(limits_)),
      retries_(task.setup_.sink_class->retries != nullptr ? task.setup_.sink_class->retries(task.setup_.settings)
                                                          : RetryLimits{}),
      backoff_(retries_.first, retries_.cap) {
  tolerant_ = settings_.choice("errors.tolerance") == "all";
  log_errors_ = settings_.flag("errors.log.enable");
  replay_ = !task.setup_.only.empty();
  // A record that fails in a replay is in the dead letter topic already.
  if (const std::string topic = settings_.text("errors.deadletterqueue.topic.name"); !topic.empty() && !replay_) {
    dead_letters_.emplace(log_,
                          DeadLetters::Options{topic, settings_.flag("errors.deadletterqueue.context.headers.enable"),
                                               task.setup_.connector, task.setup_.number},
                          rng_());
  }
}

SinkTask::Session::~Session() {
  for (Lane& lane : lanes_) lane.partition().cancel_waits(*task_.executor_);
  task_.host_.memory.add(-accounted_);
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
  for (Lane& lane : lanes_) lane.count_memory(task_.host_.memory);
  if (replay_ && task_.host_.archive != nullptr) MR_TRY(feed_from_archive());
  watched_.assign(lanes_.size(), false);
  SinkContext context{.connector = task_.setup_.connector,
                      .task = task_.setup_.number,
                      .settings = settings_,
                      .surroundings = task_.host_.surroundings,
                      .rng = rng_.fork(),
                      .stopping = task_.stopping_,
                      .replay = replay_,
                      .record_plan = [this](std::uint32_t lane, Offset bookmark,
                                            const std::string& note) { return record_plan(lane, bookmark, note); },
                      .account = [this](std::int64_t change) { return account(change); }};
  sink_ = task_.setup_.make ? task_.setup_.make(std::move(context)) : task_.setup_.sink_class->make(std::move(context));
  for (std::size_t slot = sink_->slots(); slot > 0; --slot) free_slots_.push_back(slot - 1);
  std::vector<LaneStart> starts;
  const auto table = task_.host_.log.table();
  for (const Lane& lane : lanes_) {
    const topics::Topic* topic = table->find(lane.name().topic);
    starts.push_back({&lane.name(), lane.position(), lane.note(), topic == nullptr ? "" : topic->id.to_string()});
  }
  return sink_->open(starts);
}

// Records that the log has lost come from the archive; those that are in neither stay in the ledger.
Result<void> SinkTask::Session::feed_from_archive() {
  std::set<LedgerKey> wanted;
  for (const Lane& lane : lanes_) {
    for (const Offset offset : task_.setup_.only.find(lane.name())->second) {
      if (offset < lane.partition().log_start()) wanted.insert({task_.setup_.connector, lane.name(), offset});
    }
  }
  if (wanted.empty()) return {};
  std::map<LedgerKey, std::string> found;
  std::size_t bytes = 0;
  Offset next(0);
  bool more = true;
  while (more && !ending()) {
    MR_TRY_ASSIGN(more,
                  task_.host_.archive->visit(next, [&](const LedgerKey& key, std::optional<std::string_view> json) {
                    if (!wanted.contains(key) || bytes > kArchivedBytes)
                      return;  // what is left out waits for the next replay
                    if (json) bytes += json->size();
                    if (json) found[key] = *json;
                    if (!json) found.erase(key);
                  }));
  }
  for (Lane& lane : lanes_) {
    for (const auto& [key, json] : found) {
      if (key.partition != lane.name()) continue;
      if (auto batch = FailureArchive::batch_of(json)) lane.feed(std::move(*batch));
    }
  }
  return {};
}

Result<void> SinkTask::Session::run() {
  MR_TRY(open());
  if (!ending()) task_.changed_(task_.paused_ ? State::paused : State::running, "");
  task_.give_way();
  last_bookmark_ = clock().mono();
  count();
  while (!ending() && !finished_) {
    if (paused()) {
      MR_TRY(pause());
      continue;
    }
    MR_TRY(gather());
    if (!batch_->untouched()) MR_TRY(deliver());
    if (batch_->untouched() && replay_) MR_TRY(finish_replay());
    MR_TRY(flush_if_due());
    if (bookmark_due()) MR_TRY(move_bookmarks());
    count();
  }
  return bring_bookmarks_up();
}

Result<void> SinkTask::Session::pause() {
  MR_TRY(collect_all());
  MR_TRY(bring_bookmarks_up());
  task_.changed_(State::paused, "");
  while (!ending() && paused()) {
    task_.executor_->run_until([&] { return ending() || !paused(); }, kIdle);
  }
  if (!ending()) task_.changed_(State::running, "");
  return {};
}

// One lane is read until it has no more, then the next: so at most one lane holds blocks that were fetched and not
// used.
Result<void> SinkTask::Session::gather() {
  batch_->clear();
  std::size_t idle = 0;
  while (idle < lanes_.size() && !batch_->full()) {
    Lane& lane = lanes_[turn_];
    const std::size_t before = batch_->seen();
    MR_TRY(batch_->add_from(lane, *path_));
    if (batch_->full()) break;
    idle = batch_->seen() == before ? idle + 1 : 0;
    turn_ = (turn_ + 1) % lanes_.size();
  }
  if (batch_->full()) return {};
  // Nothing to do but wait: what is under way is seen through first.
  if (!under_way_.empty()) MR_TRY(collect_all());
  if (batch_->untouched()) {
    // Markers and gaps alone: the bookmark moves past them.
    for (Lane& lane : lanes_) {
      if (lane.taken() < lane.position()) {
        counts_.skipped += static_cast<std::uint64_t>(lane.position().value() - lane.taken().value());
        lane.take(lane.position());
      }
    }
    if (!replay_) wait_for_records(idle_limit());
    return {};
  }
  if (replay_) return {};
  const MonoTime until = clock().mono() + batch_->limits().linger;
  while (!batch_->full() && !ending() && !paused()) {  // a pause does not wait for the linger
    const auto asked = sink_->open_for(batch_->records());
    const auto left = asked ? *asked : std::chrono::ceil<milliseconds>(until - clock().mono());
    if (left.count() <= 0) return {};
    if (bookmark_due()) MR_TRY(move_bookmarks());
    wait_for_records(unmarked() == 0 ? left : std::min(left, task_.host_.bookmark_interval));
    for (Lane& lane : lanes_) MR_TRY(batch_->add_from(lane, *path_));
  }
  return {};
}

milliseconds SinkTask::Session::idle_limit() const {
  milliseconds limit = kIdle;
  if (unmarked() != 0) limit = std::min(limit, task_.host_.bookmark_interval);
  if (const auto flush = sink_->next_flush()) limit = std::min(limit, *flush - clock().wall());
  if (accounted_ > 0) limit = std::min(limit, kLookAtMemory);
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
  // Not "has it changed": a pause that came just before this would be slept through.
  task_.executor_->run_until([&] { return *woken_ || ending() || paused(); }, limit);
}

Result<void> SinkTask::Session::deliver() {
  MR_TRY(give_up(batch_->failed(), false));
  if (sink_->slots() > 1 && !replay_) return launch();
  MR_TRY(bound_repetition());
  MR_TRY(put_all(batch_->records()));
  settle(*batch_, positions());
  return {};
}

MemoryLevel SinkTask::Session::account(std::int64_t change) {
  accounted_ += change;
  return task_.host_.memory.add(change);
}

// One batch is always delivered, whatever others keep: so no sink waits for another one's room.
Result<void> SinkTask::Session::launch() {
  const auto bytes = static_cast<std::int64_t>(batch_->bytes()) * kCopiesUnderWay;
  MemoryLevel level = account(bytes);
  while (!under_way_.empty() &&
         (free_slots_.empty() || bytes_under_way_ + batch_->bytes() > kBytesUnderWay || level == MemoryLevel::over)) {
    if (auto collected = collect(); !collected) {
      account(-bytes);
      return collected;
    }
    level = account(0);
  }
  if (auto bounded = bound_repetition(); !bounded) {
    account(-bytes);
    return bounded;
  }
  Flight& flight = under_way_.emplace_back(Flight{.batch = std::move(batch_),
                                                  .slot = free_slots_.back(),
                                                  .ends = positions(),
                                                  .given_up = std::exchange(given_up_, 0)});
  free_slots_.pop_back();
  bytes_under_way_ += flight.batch->bytes();
  batch_ = spare_.empty() ? std::make_unique<Batch>(limits_) : std::move(spare_.back());
  if (!spare_.empty()) spare_.pop_back();
  sink_->begin(flight.slot, flight.batch->records());
  return {};
}

Result<void> SinkTask::Session::collect() {
  if (under_way_.empty()) return {};
  Flight& flight = under_way_.front();
  Outcome outcome = sink_->end(flight.slot);
  if (ending() && outcome.kind != Outcome::Kind::done) return fail(ErrorCode::closed, "the task is stopping");
  const std::uint64_t launching = std::exchange(given_up_, flight.given_up);
  std::span<const SinkRecord> records = flight.batch->records();
  MR_TRY(reject(records, outcome.rejected));
  if (outcome.kind == Outcome::Kind::fatal) return std::unexpected<Error>(std::move(outcome.error));
  if (outcome.kind != Outcome::Kind::done) {
    backoff_.reset();
    if (outcome.kind == Outcome::Kind::retry) MR_TRY(wait_before_retry(outcome));
    MR_TRY(put_all(records.subspan(std::min(outcome.taken, records.size()))));
  }
  settle(*flight.batch, flight.ends);
  given_up_ = launching;
  bytes_under_way_ -= flight.batch->bytes();
  account(-static_cast<std::int64_t>(flight.batch->bytes()) * kCopiesUnderWay);
  free_slots_.push_back(flight.slot);
  flight.batch->clear();
  spare_.push_back(std::move(flight.batch));
  under_way_.pop_front();
  return {};
}

Result<void> SinkTask::Session::collect_all() {
  while (!under_way_.empty()) MR_TRY(collect());
  return {};
}

std::vector<Offset> SinkTask::Session::positions() const {
  std::vector<Offset> ends;
  ends.reserve(lanes_.size());
  for (const Lane& lane : lanes_) ends.push_back(lane.position());
  return ends;
}

void SinkTask::Session::settle(const Batch& batch, const std::vector<Offset>& ends) {
  std::uint64_t advanced = 0;
  for (Lane& lane : lanes_) {
    const Offset end = ends[lane.number()];
    advanced += static_cast<std::uint64_t>(end.value() - lane.taken().value());
    lane.take(end);
  }
  const std::uint64_t dead = std::exchange(given_up_, 0);
  counts_.dead += dead;
  counts_.delivered += batch.records().size() + batch.failed().size() - dead;
  counts_.skipped += batch.dropped() + (advanced - batch.seen());
  counts_.batches += 1;
  counts_.bytes += batch.bytes();
  moved_ = true;
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
  counts_.retries += 1;
  count();
  log::warn("sink_retry", {{"connector", task_.setup_.connector},
                           {"task", task_.setup_.number},
                           {"attempt", backoff_.attempts()},
                           {"wait_ms", wait.count()},
                           {"error", task_.setup_.mask.hide(outcome.error.message())}});
  MR_TRY(move_bookmarks());  // who knows for how long
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

Result<void> SinkTask::Session::give_up(std::span<const FailedRecord> records, bool tolerated) {
  if (records.empty()) return {};
  const std::vector<FailedRecord> failed = without_secrets(records, task_.setup_.mask);
  if (log_errors_ || !(tolerant_ || tolerated)) log_failures(task_.setup_.connector, failed);
  MR_TRY(report_failures(task_.host_, log_, task_.setup_.connector, failed, !replay_));
  if (replay_) {
    for (const FailedRecord& record : failed) failed_again_.emplace(*record.origin.partition, record.origin.offset);
    given_up_ += failed.size();
    return {};
  }
  if (!tolerant_ && !tolerated) {
    return fail(ErrorCode::invalid_argument, "Tolerance exceeded in error handler",
                failed.front().error_class + ": " + failed.front().message);
  }
  if (dead_letters_) MR_TRY(dead_letters_->report(failed));
  given_up_ += failed.size();
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
    for (const Lane& lane : lanes_) {
      for (const Offset offset : lane.handed_out()) {
        if (!failed_again_.contains({lane.name(), offset}))
          delivered.push_back({task_.setup_.connector, lane.name(), offset});
      }
    }
    task_.host_.failures.forget_later(std::move(delivered));
    finished_ = true;
    return {};
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
  counts_.produced = static_cast<std::uint64_t>(produced);
  counts_.pending = static_cast<std::uint64_t>(pending);
  task_.counters_->publish(counts_);
}

}  // namespace millrace::connect
