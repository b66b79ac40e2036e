// EmbeddedTopicLog: the log in this process. storage::Log is a single-threaded state machine; this class gives it its
// two threads.
//
// The log thread takes everything that is queued, commits it as one group, posts the outcomes back (one task per
// executor and commit), and looks again: while one group is being synced the next gathers by itself, without a timer.
// The segment writer runs write_behind(), checkpoint() and waits when there is nothing to do.
//
// A failed journal write or sync is final: no outcome is posted, `on_fatal` is called once and must not return to
// serving. When the disk is full the group stays queued, congested() turns true, and the log thread tries again until
// there is room.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/rng.h"
#include "io/file_system.h"
#include "metrics/registry.h"
#include "storage/log.h"
#include "topics/topic_log.h"

namespace millrace::topics {

struct EmbeddedSettings {
  storage::LogOptions log;
  storage::LogConfig topic_defaults;
  std::int32_t default_partitions = 1;  // num.partitions
  bool auto_create = true;              // auto.create.topics.enable
  std::chrono::milliseconds retention_check_interval{300'000};
  std::chrono::milliseconds disk_full_retry{100};
  std::chrono::milliseconds seal_after{1'000};  // nothing was committed for so long: storage::Log::seal
  std::size_t queue_bytes = 64_MiB;             // waiting appends; above it congested() is true
};

class EmbeddedTopicLog final : public TopicLog {
 public:
  /// `on_fatal` is called on the log thread or the segment writer.
  using Fatal = std::function<void(const Error&)>;
  /// Recovers and starts both threads. Errors: those of storage::Log::open.
  static Result<std::unique_ptr<EmbeddedTopicLog>> open(io::FileSystem& files, const Clock& clock,
                                                        metrics::Registry& metrics, const EmbeddedSettings& settings,
                                                        Fatal on_fatal, storage::RecoveryReport* report = nullptr);
  ~EmbeddedTopicLog() override;

  /// Commits what is queued, stops both threads, closes the log cleanly. Appends that come later are answered `closed`.
  Result<void> stop();

  [[nodiscard]] std::shared_ptr<const TopicTable> table() const override;
  [[nodiscard]] std::uint64_t table_version() const override { return table_version_.load(std::memory_order_acquire); }
  void append(std::unique_ptr<AppendRequest> request) override;
  [[nodiscard]] bool congested() const override {
    return disk_full_.load(std::memory_order_relaxed) ||
           queued_bytes_.load(std::memory_order_relaxed) > settings_.queue_bytes;
  }
  [[nodiscard]] bool disk_full() const { return disk_full_.load(std::memory_order_relaxed); }
  void create_topic(NewTopic topic, Executor& reply_to, TopicDone done) override;
  void delete_topic(std::string name, Executor& reply_to, Done done) override;
  void edit_config(std::string name, ConfigEdit edit, Executor& reply_to, TopicDone done) override;
  void create_partitions(std::string name, std::int32_t total, Executor& reply_to, TopicDone done) override;
  void delete_records(std::vector<RecordDeletion> deletions, Executor& reply_to, DeletionsDone done) override;
  void next_producer_id(Executor& reply_to, ProducerIdDone done) override;
  [[nodiscard]] const Uuid& cluster_id() const override { return log_->cluster_id(); }
  [[nodiscard]] std::int32_t default_partitions() const override { return settings_.default_partitions; }
  [[nodiscard]] bool auto_create() const override { return settings_.auto_create; }
  [[nodiscard]] const storage::LogConfig& topic_defaults() const override { return settings_.topic_defaults; }

 private:
  struct Create {
    NewTopic topic;
    Executor* reply_to;
    TopicDone done;
  };
  struct Delete {
    std::string name;
    Executor* reply_to;
    Done done;
  };
  struct EditConfig {
    std::string name;
    ConfigEdit edit;
    Executor* reply_to;
    TopicDone done;
  };
  struct Grow {
    std::string name;
    std::int32_t total;
    Executor* reply_to;
    TopicDone done;
  };
  struct DeleteRecords {
    std::vector<RecordDeletion> deletions;
    Executor* reply_to;
    DeletionsDone done;
  };
  struct NextProducerId {
    Executor* reply_to;
    ProducerIdDone done;
  };
  using Control = std::variant<Create, Delete, EditConfig, Grow, DeleteRecords, NextProducerId>;

  EmbeddedTopicLog(const EmbeddedSettings& settings, const Clock& clock, Fatal on_fatal);
  void run_log();
  void run_writer();
  // Log thread. Each answers false when the log is dead.
  bool commit_appends(std::vector<std::unique_ptr<AppendRequest>>& requests);
  bool commit_control(Control& control);
  bool commit_until_room(std::span<storage::PartitionChange> changes, std::span<storage::Append* const> appends);
  bool serve_room_makers();
  bool create(Create& request);
  bool remove(Delete& request);
  bool edit(EditConfig& request);
  bool grow(Grow& request);
  bool delete_records(DeleteRecords& request);
  bool seal_when_quiet();
  void check_retention();
  void make_room();
  void refuse(Control& control);
  /// Posts the answer of a request.
  template <class Request, class Answer>
  static bool answer(Request& request, Answer value) {
    request.reply_to->post(
        [done = std::move(request.done), value = std::move(value)]() mutable { done(std::move(value)); });
    return true;
  }
  void publish(std::shared_ptr<const TopicTable> table);
  void publish_topic(const std::string& name);
  void die(const Error& error);
  void post_control(Control control);
  void poke_writer();
  void tell_room();

  const EmbeddedSettings settings_;
  const Clock& clock_;
  const Fatal on_fatal_;
  std::unique_ptr<storage::Log> log_;
  Rng rng_;

  // Guards the queue below; never held during I/O. Taken alone.
  std::mutex mutex_;
  std::condition_variable wake_log_;
  std::vector<std::unique_ptr<AppendRequest>> appends_;
  std::deque<Control> controls_;
  bool stopping_ = false;
  bool accepting_ = true;
  bool room_came_ = false;

  // Guards writer_stop_ and writer_poked_. Taken alone.
  std::mutex writer_mutex_;
  std::condition_variable wake_writer_;
  bool writer_stop_ = false;
  bool writer_poked_ = false;

  std::atomic<bool> disk_full_{false};
  std::atomic<bool> room_wanted_{false};  // the segment writer found the disk full
  std::atomic<bool> dead_{false};
  std::atomic<std::size_t> queued_bytes_{0};
  std::atomic<std::uint64_t> table_version_{0};
  Guarded<std::shared_ptr<const TopicTable>> table_;
  MonoTime next_retention_{};  // log thread
  MonoTime seal_at_ = MonoTime::max();
  std::size_t unwritten_bytes_ = 0;  // log thread: committed since the writer was last woken
  bool making_room_ = false;         // log thread: inside serve_room_makers()
  std::vector<storage::Append> storage_appends_;
  std::vector<storage::Append*> storage_pointers_;

  std::thread log_thread_;
  std::thread writer_thread_;
};

}  // namespace millrace::topics
