#include "topics/embedded/embedded_topic_log.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/thread_name.h"
#include "topics/topic_config.h"
#include "topics/topic_table.h"

namespace millrace::topics {
namespace {

constexpr std::size_t kPokeBytes = 1_MiB;

std::size_t bytes_of(const AppendRequest& request) {
  std::size_t bytes = 0;
  for (const PartitionAppend& item : request.items) bytes += item.batch.size();
  return bytes;
}

void answer(std::unique_ptr<AppendRequest> request) {
  auto done = std::move(request->done);
  done(std::move(request));
}

// All answers of one commit for one executor travel as one task.
void post_answers(std::vector<std::unique_ptr<AppendRequest>> requests) {
  while (!requests.empty()) {
    Executor* const target = requests.front()->reply_to;
    std::vector<std::unique_ptr<AppendRequest>> mine;
    std::vector<std::unique_ptr<AppendRequest>> others;
    for (auto& request : requests) (request->reply_to == target ? mine : others).push_back(std::move(request));
    requests = std::move(others);
    target->post([mine = std::move(mine)]() mutable {
      for (auto& request : mine) answer(std::move(request));
    });
  }
}

void answer_closed(std::unique_ptr<AppendRequest> request) {
  for (PartitionAppend& item : request->items) item.outcome = fail(ErrorCode::closed, "the log is stopping");
  Executor* const target = request->reply_to;
  target->post([request = std::move(request)]() mutable { answer(std::move(request)); });
}

}  // namespace

EmbeddedTopicLog::EmbeddedTopicLog(const EmbeddedSettings& settings, const Clock& clock, Fatal on_fatal)
    : settings_(settings), clock_(clock), on_fatal_(std::move(on_fatal)), rng_(system_entropy()) {}

Result<std::unique_ptr<EmbeddedTopicLog>> EmbeddedTopicLog::open(io::FileSystem& files, const Clock& clock,
                                                                 metrics::Registry& metrics,
                                                                 const EmbeddedSettings& settings, Fatal on_fatal,
                                                                 storage::RecoveryReport* report) {
  std::unique_ptr<EmbeddedTopicLog> topics(new EmbeddedTopicLog(settings, clock, std::move(on_fatal)));
  MR_TRY_ASSIGN(topics->log_, storage::Log::open(files, clock, metrics, topics->settings_.log, report));
  // The server's own defaults may have changed since.
  if (auto changes = plan_defaults(topics->log_->partitions(), topics->settings_.topic_defaults); !changes.empty()) {
    const auto done = topics->log_->commit(changes, {});
    if (!done && done.error().code != ErrorCode::disk_full) return std::unexpected(done.error());
    if (!done) log::warn("topic_defaults_not_applied", {{"reason", done.error().message()}});
  }
  topics->publish(build_topic_table(topics->log_->partitions(), 1));
  topics->next_retention_ = clock.mono() + topics->settings_.retention_check_interval;
  topics->log_thread_ = std::thread([raw = topics.get()] { raw->run_log(); });
  topics->writer_thread_ = std::thread([raw = topics.get()] { raw->run_writer(); });
  return topics;
}

EmbeddedTopicLog::~EmbeddedTopicLog() {
  if (log_thread_.joinable()) (void)stop();
}

Result<void> EmbeddedTopicLog::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_log_.notify_one();
  log_thread_.join();
  {
    const std::scoped_lock lock(writer_mutex_);
    writer_stop_ = true;
  }
  wake_writer_.notify_one();
  writer_thread_.join();
  if (dead_.load()) return fail(ErrorCode::io_error, "the log died of an earlier disk error");
  return log_->close();
}

std::shared_ptr<const TopicTable> EmbeddedTopicLog::table() const {
  return table_.with([](const auto& table) { return table; });
}

void EmbeddedTopicLog::append(std::unique_ptr<AppendRequest> request) {
  bool refused = false;
  bool wake = false;
  {
    const std::scoped_lock lock(mutex_);
    refused = !accepting_;
    if (!refused) {
      queued_bytes_.fetch_add(bytes_of(*request), std::memory_order_relaxed);
      wake = appends_.empty();
      appends_.push_back(std::move(request));
    }
  }
  if (refused) return answer_closed(std::move(request));
  if (wake) wake_log_.notify_one();
}

void EmbeddedTopicLog::post_control(Control control) {
  bool refused = false;
  {
    const std::scoped_lock lock(mutex_);
    refused = !accepting_;
    if (!refused) controls_.push_back(std::move(control));
  }
  if (refused) return refuse(control);
  wake_log_.notify_one();
}

void EmbeddedTopicLog::create_topic(NewTopic topic, Executor& reply_to, TopicDone done) {
  post_control(Create{std::move(topic), &reply_to, std::move(done)});
}
void EmbeddedTopicLog::delete_topic(std::string name, Executor& reply_to, Done done) {
  post_control(Delete{std::move(name), &reply_to, std::move(done)});
}
void EmbeddedTopicLog::edit_config(std::string name, ConfigEdit edit, Executor& reply_to, TopicDone done) {
  post_control(EditConfig{std::move(name), std::move(edit), &reply_to, std::move(done)});
}
void EmbeddedTopicLog::create_partitions(std::string name, std::int32_t total, Executor& reply_to, TopicDone done) {
  post_control(Grow{std::move(name), total, &reply_to, std::move(done)});
}
void EmbeddedTopicLog::delete_records(std::vector<RecordDeletion> deletions, Executor& reply_to, DeletionsDone done) {
  post_control(DeleteRecords{std::move(deletions), &reply_to, std::move(done)});
}
void EmbeddedTopicLog::next_producer_id(Executor& reply_to, ProducerIdDone done) {
  post_control(NextProducerId{&reply_to, std::move(done)});
}

void EmbeddedTopicLog::refuse(Control& control) {
  std::visit(
      [](auto& request) {
        const auto closed = fail(ErrorCode::closed, "the log is stopping");
        using T = std::decay_t<decltype(request)>;
        if constexpr (std::is_same_v<T, DeleteRecords>) {
          for (RecordDeletion& deletion : request.deletions) deletion.log_start = closed;
          answer(request, std::move(request.deletions));
        } else {
          answer(request, closed);
        }
      },
      control);
}

void EmbeddedTopicLog::poke_writer() {
  {
    const std::scoped_lock lock(writer_mutex_);
    writer_poked_ = true;
  }
  wake_writer_.notify_one();
}

// The journal may have a file again: a commit that found it full need not wait for its next look.
void EmbeddedTopicLog::tell_room() {
  {
    const std::scoped_lock lock(mutex_);
    room_came_ = true;
  }
  wake_log_.notify_one();
}

void EmbeddedTopicLog::run_log() {
  name_this_thread("log");
  std::vector<std::unique_ptr<AppendRequest>> requests;
  std::deque<Control> controls;
  while (true) {
    bool stop = false;
    {
      std::unique_lock lock(mutex_);
      const auto until = std::chrono::steady_clock::now() + (std::min(next_retention_, seal_at_) - clock_.mono());
      wake_log_.wait_until(lock, until, [this] {
        return stopping_ || !appends_.empty() || !controls_.empty() || room_wanted_.load(std::memory_order_relaxed);
      });
      std::swap(requests, appends_);
      std::swap(controls, controls_);
      stop = stopping_ && requests.empty() && controls.empty();
      if (stop) accepting_ = false;
    }
    if (stop) return;
    if (!requests.empty() && !commit_appends(requests)) return;
    requests.clear();
    for (Control& control : controls) {
      if (!commit_control(control)) return;
    }
    controls.clear();
    if (!seal_when_quiet()) return;
    if (room_wanted_.load(std::memory_order_relaxed)) make_room();
    check_retention();
  }
}

// Tries until the disk has room. False when the log died, when stopping while the disk is still full, or when this is
// itself a try to make room.
bool EmbeddedTopicLog::commit_until_room(std::span<storage::PartitionChange> changes,
                                         std::span<storage::Append* const> appends) {
  while (true) {
    const Result<void> committed = log_->commit(changes, appends);
    if (committed) {
      seal_at_ = clock_.mono() + settings_.seal_after;
      if (!making_room_ && disk_full_.exchange(false)) log::info("disk_has_room", {{"effect", "appends go on"}});
      return true;
    }
    if (committed.error().code != ErrorCode::disk_full) {
      die(committed.error());
      return false;
    }
    if (making_room_) return false;
    if (!disk_full_.exchange(true)) {
      log::error("disk_full", {{"effect", "acknowledgements are withheld until there is room"},
                               {"reason", committed.error().message()}});
    }
    make_room();
    poke_writer();
    std::unique_lock lock(mutex_);
    wake_log_.wait_for(lock, settings_.disk_full_retry, [this] { return stopping_ || room_came_; });
    room_came_ = false;
    if (stopping_) {
      accepting_ = false;
      return false;
    }
    lock.unlock();
    check_retention();
    if (!serve_room_makers()) return false;
  }
}

// Somebody may ask, while appends wait for room, for what gives room. The journal keeps space for that
// (Journal::changes_reserve()). What finds no room either is asked again later. False when the log died.
bool EmbeddedTopicLog::serve_room_makers() {
  std::deque<Control> controls;
  {
    const std::scoped_lock lock(mutex_);
    controls.swap(controls_);
  }
  std::deque<Control> left;
  making_room_ = true;
  for (Control& control : controls) {
    const bool gives = std::holds_alternative<Delete>(control) || std::holds_alternative<DeleteRecords>(control) ||
                       std::holds_alternative<EditConfig>(control);
    if (!gives || !commit_control(control)) left.push_back(std::move(control));
  }
  making_room_ = false;
  if (left.size() < controls.size()) poke_writer();
  const std::scoped_lock lock(mutex_);
  controls_.insert(controls_.begin(), std::make_move_iterator(left.begin()), std::make_move_iterator(left.end()));
  return !dead_.load(std::memory_order_relaxed);
}

bool EmbeddedTopicLog::commit_appends(std::vector<std::unique_ptr<AppendRequest>>& requests) {
  storage_appends_.clear();
  std::size_t bytes = 0;
  for (const auto& request : requests) {
    for (PartitionAppend& item : request->items) {
      bytes += item.batch.size();
      storage_appends_.push_back({.partition = item.partition.get(), .batch = std::move(item.batch), .outcome = {}});
    }
  }
  storage_pointers_.clear();
  for (storage::Append& append : storage_appends_) storage_pointers_.push_back(&append);
  if (!commit_until_room({}, storage_pointers_)) return false;

  std::size_t next = 0;
  for (const auto& request : requests) {
    for (PartitionAppend& item : request->items) {
      Result<storage::Appended>& outcome = storage_appends_[next++].outcome;
      if (outcome) {
        item.outcome =
            AppendResult{outcome->base_offset, outcome->log_start, outcome->log_append_time_ms, outcome->duplicate};
      } else {
        item.outcome = std::unexpected<Error>(std::move(outcome).error());
      }
    }
  }
  storage_appends_.clear();
  queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  post_answers(std::exchange(requests, {}));
  // The writer works in large pieces: waking it for every commit would only cost context switches.
  unwritten_bytes_ += bytes;
  if (unwritten_bytes_ >= kPokeBytes) {
    unwritten_bytes_ = 0;
    poke_writer();
  }
  return true;
}

bool EmbeddedTopicLog::commit_control(Control& control) {
  return std::visit(
      [this](auto& request) {
        using T = std::decay_t<decltype(request)>;
        if constexpr (std::is_same_v<T, Create>) return create(request);
        if constexpr (std::is_same_v<T, Delete>) return remove(request);
        if constexpr (std::is_same_v<T, EditConfig>) return edit(request);
        if constexpr (std::is_same_v<T, Grow>) return grow(request);
        if constexpr (std::is_same_v<T, DeleteRecords>) return delete_records(request);
        if constexpr (std::is_same_v<T, NextProducerId>) {
          Result<ProducerId> id = log_->next_producer_id();
          if (!id && id.error().code != ErrorCode::disk_full) {
            die(id.error());
            return false;
          }
          request.reply_to->post(
              [done = std::move(request.done), id = std::move(id)]() mutable { done(std::move(id)); });
          return true;
        }
      },
      control);
}

// The newest group cannot be told from an interrupted one when it is damaged; a quiet log does not leave it at that.
// False when the log died.
bool EmbeddedTopicLog::seal_when_quiet() {
  if (clock_.mono() < seal_at_) return true;
  seal_at_ = MonoTime::max();
  const auto done = log_->seal();
  if (done || done.error().code == ErrorCode::disk_full) return true;  // full: the next commit tries and tells
  die(done.error());
  return false;
}

void EmbeddedTopicLog::make_room() {
  room_wanted_.store(false, std::memory_order_relaxed);
  const auto made = log_->make_room();
  if (made && *made) poke_writer();
}

void EmbeddedTopicLog::check_retention() {
  if (clock_.mono() < next_retention_) return;
  next_retention_ = clock_.mono() + settings_.retention_check_interval;
  if (const auto done = log_->enforce_retention(); !done) {
    log::warn("retention_failed", {{"reason", done.error().message()}});
  }
}

void EmbeddedTopicLog::publish(std::shared_ptr<const TopicTable> table) {
  const std::uint64_t version = table->version;
  table_.with([&](auto& current) { current = std::move(table); });
  table_version_.store(version, std::memory_order_release);
}

void EmbeddedTopicLog::publish_topic(const std::string& name) {
  publish(with_topic(*table(), name, log_->partitions_of(name), table_version_.load() + 1));
}

void EmbeddedTopicLog::die(const Error& error) {
  if (dead_.exchange(true)) return;
  log::error("log_failed",
             {{"effect", "no further acknowledgement; the process must end and recover"}, {"reason", error.message()}});
  {
    const std::scoped_lock lock(mutex_);
    accepting_ = false;
  }
  on_fatal_(error);
}

void EmbeddedTopicLog::run_writer() {
  name_this_thread("segment-writer");
  // Longest pause between looks, so that an interval checkpoint is not missed on a quiet log.
  constexpr auto kIdle = std::chrono::milliseconds(500);
  bool news = false;  // something was written, a journal file made ready perhaps, since the log thread was told
  while (true) {
    {
      std::unique_lock lock(writer_mutex_);
      wake_writer_.wait_for(lock, kIdle, [this] { return writer_stop_ || writer_poked_; });
      if (writer_stop_) return;
      writer_poked_ = false;
    }
    while (!dead_.load(std::memory_order_relaxed)) {
      const Result<bool> wrote = log_->write_behind();
      if (!wrote) {
        if (wrote.error().code == ErrorCode::disk_full) {
          // The log thread may give up something while the journal still takes a line about it.
          room_wanted_.store(true, std::memory_order_relaxed);
          wake_log_.notify_one();
          break;
        }
        die(wrote.error());
        return;
      }
      if (log_->checkpoint_due()) {
        const auto done = log_->checkpoint();
        if (!done && done.error().code != ErrorCode::disk_full) {
          die(done.error());
          return;
        }
        if (done) tell_room();
        news = !done;
      }
      const Result<bool> compacted = log_->compact();
      if (!compacted) {
        die(compacted.error());
        return;
      }
      news = news || *wrote;
      if (!*wrote && !*compacted) {
        if (disk_full_.load() && std::exchange(news, false)) tell_room();
        break;
      }
    }
  }
}

}  // namespace millrace::topics
