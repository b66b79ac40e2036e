#include "connect/runtime/source_task.h"

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "connect/runtime/failure_report.h"
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
        tolerant_(task.setup_.settings.choice("errors.tolerance") == "all"),
        log_errors_(task.setup_.settings.flag("errors.log.enable")) {}

  Result<void> run() {
    MR_TRY(open());
    bool paused = false;
    if (!task_.paused_) task_.changed_(State::running, "");
    task_.give_way();
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
    // What a former task gave to the log may still become durable: reading from before it would repeat it.
    const SourceOffsets& positions = *task_.host_.source_offsets;
    while (!task_.stopping_ && positions.advancing(task_.setup_.connector)) task_.wait(kCongested);
    return source_->open(positions.of(task_.setup_.connector));
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
    failed_.clear();
    places_.clear();
    for (std::size_t i = 0; i < batch_.records.size(); ++i) {
      const RecordImage& image = batch_.records[i];
      ++counts.produced;
      const Origin origin = origin_of(i);
      SinkRecord record(origin, image);
      FailedRecord failed;
      switch (path_->reverse(record, batch_.room, produced_, failed)) {
        case RecordPath::Way::dropped:
          ++counts.skipped;
          continue;
        case RecordPath::Way::failed:
          failed.origin = origin;
          failed_.push_back(std::move(failed));
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
          failed_.push_back({origin, Stage::task_put, std::string(task_.setup_.source_class->class_name),
                             "org.apache.kafka.common.errors.RecordTooLargeException",
                             "the record is larger than the topic's max.message.bytes"});
          break;
        case topics::Placement::no_topic:
        case topics::Placement::no_partition:
          used_.erase(std::string(produced_.topic));
          return fail(ErrorCode::unavailable, "the topic or partition is gone", std::string(produced_.topic));
      }
    }
    MR_TRY(give_up());
    counts.dead += failed_.size();
    MR_TRY(append());
    counts_ = counts;
    task_.counters_->publish(counts_);
    moved_ = true;
    return {};
  }

  // A source's record is nowhere in the log yet: the topic it was for, no partition, and the source's own number.
  Origin origin_of(std::size_t index) {
    const RecordImage& image = batch_.records[index];
    if (places_.empty() || places_.back().topic != image.topic)
      places_.push_back({std::string(image.topic), kNoPartition});
    Origin origin;
    origin.partition = &places_.back();
    origin.offset = Offset(index < batch_.numbers.size() ? batch_.numbers[index] : -1);
    origin.timestamp_ms = image.timestamp_ms;
    origin.key = bytes_of(image.key);
    origin.value = bytes_of(image.value);
    return origin;
  }

  std::optional<ByteView> bytes_of(const Datum& datum) {
    if (datum.kind == Datum::Kind::bytes) return datum.bytes;
    if (datum.kind == Datum::Kind::value && datum.value.is_string()) {
      return as_bytes(datum.value.characters(batch_.room.arena()));
    }
    return std::nullopt;
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
    if (items.empty()) return {};
    return log_.append(std::move(items), task_.host_.source_offsets->advance(task_.setup_.connector, batch_.positions));
  }

  Result<void> give_up() {
    if (failed_.empty()) return {};
    const std::string& connector = task_.setup_.connector;
    const std::vector<FailedRecord> failed = without_secrets(failed_, task_.setup_.mask);
    if (log_errors_ || !tolerant_) log_failures(connector, failed);
    MR_TRY(report_failures(task_.host_, log_, connector, failed, true));
    if (tolerant_) return {};
    return fail(ErrorCode::invalid_argument, "Tolerance exceeded in error handler",
                failed.front().error_class + ": " + failed.front().message);
  }

  SourceTask& task_;
  BlockingLog log_;
  topics::BatchAccumulator gathered_;
  const bool tolerant_;
  const bool log_errors_;
  std::optional<RecordPath> path_;
  std::unique_ptr<Source> source_;
  SourceBatch batch_;
  RecordPath::Produced produced_;
  std::vector<FailedRecord> failed_;  // of the batch; they view places_ and the batch
  std::deque<TopicPartition> places_;
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
