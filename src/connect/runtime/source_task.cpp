#include "connect/runtime/source_task.h"

#include <optional>
#include <utility>

#include "base/log.h"
#include "connect/runtime/record_path.h"
#include "model/record_batch_builder.h"

namespace millrace::connect {
namespace {

using std::chrono::milliseconds;

/// Between polls that found nothing.
constexpr milliseconds kIdle{100};
/// Between looks at a log that wants producers to wait.
constexpr milliseconds kCongested{10};
constexpr PartitionIndex kNoPartition{-1};

}  // namespace

class SourceTask::Session {
 public:
  explicit Session(SourceTask& task)
      : task_(task),
        log_(task.blocking(task.host_.log)),
        gathered_(task.host_.log, task.setup_.seed),
        tolerant_(task.setup_.settings.choice("errors.tolerance") == "all") {}

  Result<void> run() {
    MR_TRY(open());
    bool paused = false;
    if (!task_.paused_) task_.changed_(State::running, "");
    while (!task_.stopping_) {
      if (task_.paused_) {
        if (!std::exchange(paused, true)) task_.changed_(State::paused, "");
        task_.wait(kIdle);
        continue;
      }
      if (std::exchange(paused, false)) task_.changed_(State::running, "");
      batch_.clear();
      MR_TRY(source_->poll(batch_));
      if (batch_.records.empty() && batch_.positions.empty()) {
        task_.wait(kIdle);
        continue;
      }
      while (!task_.stopping_ && log_.log().congested()) task_.wait(kCongested);
      if (task_.stopping_) break;
      MR_TRY(deliver());
    }
    return {};
  }
  [[nodiscard]] bool moved() const { return moved_; }

 private:
  Result<void> open() {
    MR_TRY_ASSIGN(path_, RecordPath::make(task_.setup_.settings));
    source_ = task_.setup_.source_class->make({.connector = task_.setup_.connector,
                                               .task = task_.setup_.number,
                                               .settings = task_.setup_.settings,
                                               .surroundings = task_.host_.surroundings});
    task_.counters_->publish(counts_);
    return source_->open(task_.host_.source_offsets->of(task_.setup_.connector));
  }

  // Kafka's producers make missing topics when the broker allows it.
  Result<void> ensure(std::string_view topic) {
    if (used_.contains(topic)) return {};
    if (log_.log().table()->find(topic) == nullptr) {
      if (!log_.log().auto_create()) {
        return fail(ErrorCode::unavailable, "the topic does not exist and auto.create.topics.enable is off",
                    std::string(topic));
      }
      MR_TRY(log_.make_topic({.name = std::string(topic)}));
    }
    used_.emplace(topic);
    task_.setup_.topic_used(std::string(topic));
    return {};
  }

  Result<void> deliver() {
    TaskCounts counts = counts_;
    for (const RecordImage& image : batch_.records) {
      ++counts.produced;
      const TopicPartition place{std::string(image.topic), kNoPartition};
      Origin origin;
      origin.partition = &place;
      origin.offset = Offset(-1);
      origin.timestamp_ms = image.timestamp_ms;
      SinkRecord record(origin, image);
      FailedRecord failed;
      switch (path_->reverse(record, batch_.room, produced_, failed)) {
        case RecordPath::Way::dropped:
          ++counts.skipped;
          continue;
        case RecordPath::Way::failed:
          MR_TRY(give_up(failed.message, counts));
          continue;
        case RecordPath::Way::kept:
          break;
      }
      MR_TRY(ensure(produced_.topic));
      switch (gathered_.add(produced_.topic, produced_.partition, produced_.record)) {
        case topics::Placement::added:
          ++counts.delivered;
          break;
        case topics::Placement::too_large:
          MR_TRY(give_up("the record is larger than the topic's max.message.bytes", counts));
          break;
        case topics::Placement::no_topic:
        case topics::Placement::no_partition:
          used_.erase(std::string(produced_.topic));
          return fail(ErrorCode::unavailable, "the topic or partition is gone", std::string(produced_.topic));
      }
    }
    MR_TRY(append());
    counts_ = counts;
    task_.counters_->publish(counts_);
    moved_ = true;
    return {};
  }

  Result<void> append() {
    std::vector<topics::PartitionAppend> items;
    gathered_.take(items);
    const auto table = log_.log().table();
    const topics::Topic* offsets = table->find(task_.host_.source_offsets->topic());
    if (offsets == nullptr) return fail(ErrorCode::unavailable, "the topic of source offsets is gone");
    RecordBatchBuilder builder;
    for (const auto& [partition, offset] : batch_.positions) {
      const std::string key = SourceOffsets::key_of(task_.setup_.connector, partition);
      builder.append({.key = as_bytes(key),
                      .value = as_bytes(offset),
                      .headers = {},
                      .timestamp_ms = task_.host_.surroundings.clock->wall().count()});
    }
    if (!builder.empty()) items.push_back({.partition = offsets->partitions.front(), .batch = builder.finish()});
    MR_TRY(log_.append(std::move(items)));
    task_.host_.source_offsets->advanced(task_.setup_.connector, batch_.positions);
    return {};
  }

  Result<void> give_up(const std::string& why, TaskCounts& counts) {
    log::error("source_record_failed",
               {{"connector", task_.setup_.connector}, {"task", task_.setup_.number}, {"error", why}});
    if (!tolerant_) return fail(ErrorCode::invalid_argument, "Tolerance exceeded in error handler", why);
    ++counts.dead;
    return {};
  }

  SourceTask& task_;
  BlockingLog log_;
  topics::BatchAccumulator gathered_;
  const bool tolerant_;
  std::optional<RecordPath> path_;
  std::unique_ptr<Source> source_;
  SourceBatch batch_;
  RecordPath::Produced produced_;
  std::set<std::string, std::less<>> used_;
  TaskCounts counts_;
  bool moved_ = false;
};

SourceTask::SourceTask(TaskHost& host, Setup setup, StateChanged changed)
    : ConnectorTask("source", setup, std::move(changed)), host_(host), setup_(std::move(setup)) {}

SourceTask::~SourceTask() {
  end();
}

ConnectorTask::Ended SourceTask::run_session() {
  Session session(*this);
  Ended ended{session.run()};
  ended.moved = session.moved();
  return ended;
}

}  // namespace millrace::connect
