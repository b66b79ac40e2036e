// The half of SinkTask::Session that reads and moves bookmarks.
#include <algorithm>
#include <utility>

#include "connect/runtime/session.h"

namespace millrace::connect {
namespace {

constexpr std::chrono::milliseconds kAskAgain{20};

}  // namespace

// While the groups are being loaded, at the process's start, they answer `unavailable`.
Result<topics::CommittedOffsets> SinkTask::Session::fetch_bookmarks() {
  const auto executor = task_.executor_;
  const MonoTime until = clock().mono() + kAnswerLimit;
  while (!ending()) {
    const auto answer = std::make_shared<std::optional<Result<topics::CommittedOffsets>>>();
    task_.host_.offsets.fetch(group_of(task_.setup_.connector), *executor,
                              [executor, answer](auto fetched) { *answer = std::move(fetched); });
    if (!task_.await([&] { return answer->has_value(); }, kAnswerLimit)) {
      return fail(ErrorCode::timed_out, "the bookmarks could not be read");
    }
    if (ending()) break;
    if (**answer || (*answer)->error().code != ErrorCode::unavailable || clock().mono() > until)
      return std::move(**answer);
    task_.wait(kAskAgain);
  }
  return fail(ErrorCode::closed, "the task is stopping");
}

Result<void> SinkTask::Session::commit(const topics::CommittedOffsets& offsets) {
  const auto executor = task_.executor_;
  const auto answer = std::make_shared<std::optional<Result<void>>>();
  task_.host_.offsets.commit(group_of(task_.setup_.connector), offsets, *executor,
                             [executor, answer](Result<void> written) { *answer = std::move(written); });
  if (!task_.await([&] { return answer->has_value(); }, kAnswerLimit)) {
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

std::size_t SinkTask::Session::unmarked() const {
  std::int64_t count = 0;
  for (const Lane& lane : lanes_) {
    if (lane.partition().deleted()) continue;
    const Offset safe = sink_->delivered(lane.number()).value_or(lane.taken());
    count += std::max<std::int64_t>(safe.value() - lane.committed().value(), 0);
  }
  return static_cast<std::size_t>(count);
}

// Two batches, or as many as the sink has under way at once. One commit may have begun too early to help, the second
// takes in everything.
Result<void> SinkTask::Session::bound_repetition() {
  if (replay_) return {};
  const std::size_t bound = limits_.records * std::max<std::size_t>(sink_->slots(), 2);
  std::size_t delivering = batch_->seen();
  for (const Flight& flight : under_way_) delivering += flight.batch->seen();
  MR_TRY(settle_commit(false));
  for (int commits = 0; commits < 2; ++commits) {
    const std::size_t again = unmarked();
    if (again == 0 || again + delivering <= bound) return {};
    MR_TRY(move_bookmarks());
    MR_TRY(settle_commit(true));
  }
  return {};
}

bool SinkTask::Session::bookmark_due() const {
  return clock().mono() >= last_bookmark_ + task_.host_.bookmark_interval || unmarked() >= limits_.records;
}

// One commit at a time, which nobody waits for while records can be delivered.
Result<void> SinkTask::Session::move_bookmarks() {
  if (replay_) return {};
  last_bookmark_ = clock().mono();
  MR_TRY(settle_commit(false));
  if (committing_) return {};
  topics::CommittedOffsets moved;
  for (Lane& lane : lanes_) {
    // Its bookmark went with the topic; a new topic of that name starts without one.
    if (lane.partition().deleted()) continue;
    const Offset safe = sink_->delivered(lane.number()).value_or(lane.taken());
    if (safe > lane.committed()) moved[lane.name()] = {safe};
  }
  if (moved.empty()) return {};
  committing_ = std::make_shared<std::optional<Result<void>>>();
  commit_until_ = clock().mono() + kAnswerLimit;
  task_.host_.offsets.commit(
      group_of(task_.setup_.connector), moved, *task_.executor_,
      [executor = task_.executor_, answer = committing_](Result<void> written) { *answer = std::move(written); });
  commit_ = std::move(moved);
  return {};
}

Result<void> SinkTask::Session::settle_commit(bool wait) {
  if (!committing_) return {};
  task_.executor_->run_ready();
  if (wait && !task_.await([&] { return committing_->has_value(); }, kAnswerLimit)) {
    return fail(ErrorCode::timed_out, "the bookmarks could not be written");
  }
  if (!committing_->has_value()) {
    if (clock().mono() < commit_until_) return {};
    return fail(ErrorCode::timed_out, "the bookmarks could not be written");
  }
  const Result<void> written = **std::exchange(committing_, nullptr);
  MR_TRY(written);
  for (Lane& lane : lanes_) {
    const auto found = commit_.find(lane.name());
    if (found != commit_.end()) lane.commit(std::max(lane.committed(), found->second.offset));
  }
  return {};
}

Result<void> SinkTask::Session::bring_bookmarks_up() {
  if (replay_) return {};
  MR_TRY(settle_commit(true));
  MR_TRY(move_bookmarks());
  return settle_commit(true);
}

}  // namespace millrace::connect
