#include "kafka/groups/group_log.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kLoadPiece = 1_MiB;     // read at once
constexpr std::size_t kBatchBytes = 512_KiB;  // a batch is closed there, unless one record is larger
constexpr std::size_t kRequestBytes = 4_MiB;  // records of one append request, about

std::optional<ByteView> view_of(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return as_bytes(*text);
}

KafkaError refusal(ErrorCode code) {
  switch (code) {
    case ErrorCode::too_large:
      return KafkaError::invalid_commit_offset_size;
    case ErrorCode::closed:
      return KafkaError::not_coordinator;
    default:
      return KafkaError::coordinator_not_available;
  }
}

}  // namespace

GroupLog::GroupLog(topics::TopicLog& log, const Clock& clock, Executor& loop, const GroupSettings& settings,
                   Task settled)
    : log_(log),
      clock_(clock),
      loop_(loop),
      settings_(settings),
      partitions_(partition_count(log, settings)),
      settled_(std::move(settled)) {}

std::int32_t GroupLog::partition_count(const topics::TopicLog& log, const GroupSettings& settings) {
  const auto table = log.table();
  const topics::Topic* topic = table->find(kOffsetsTopic);
  return topic == nullptr ? settings.offsets_partitions : static_cast<std::int32_t>(topic->partitions.size());
}

Result<void> GroupLog::load(const topics::TopicLog& log, std::int32_t first, std::int32_t step, const Visit& visit,
                            const std::atomic<bool>& abandoned) {
  const auto table = log.table();
  const topics::Topic* topic = table->find(kOffsetsTopic);
  if (topic == nullptr) return {};
  topics::BatchRecords records;
  for (std::size_t i = static_cast<std::size_t>(first); i < topic->partitions.size();
       i += static_cast<std::size_t>(step)) {
    topics::Partition& partition = *topic->partitions[i];
    Offset next = partition.log_start();
    while (next < partition.high_watermark()) {
      if (abandoned.load(std::memory_order_relaxed)) return fail(ErrorCode::closed, "stopping");
      MR_TRY_ASSIGN(const auto read, partition.read(next, kLoadPiece));
      // The rest may have been compacted away.
      if (read.batches.empty()) break;
      for (const SharedBytes& batch : read.batches) {
        MR_TRY_ASSIGN(next, records.visit(batch.view(), next, [&](const ReadRecord& record) {
          if (record.record.key) visit(*record.record.key, record.record.value);
        }));
      }
    }
  }
  return {};
}

void GroupLog::store(std::string_view group, std::vector<GroupRecord> records, Stored stored) {
  Write& write = gathered_.emplace_back();
  write.records = std::move(records);
  write.stored = std::move(stored);
  write.partition = offsets_partition(group, partitions_);
  post_send();
}

// Behind everything else of this turn: what is stored in one turn shares a batch.
void GroupLog::post_send() {
  if (!request_ || making_topic_ || std::exchange(send_posted_, true)) return;
  loop_.post([this] {
    send_posted_ = false;
    send();
  });
}

void GroupLog::send() {
  if (!request_ || making_topic_ || gathered_.empty()) return;
  const auto table = log_.table();
  const topics::Topic* topic = table->find(kOffsetsTopic);
  if (topic == nullptr) return make_topic();
  add_batches(*topic, *request_);
  if (request_->items.empty()) {  // nothing to write, or nothing that may be
    finish(std::exchange(in_flight_, {}));
    return post_send();
  }
  request_->reply_to = &loop_;
  request_->done = [this](std::unique_ptr<topics::AppendRequest> back) { settle(std::move(back)); };
  log_.append(std::move(request_));
}

void GroupLog::make_topic() {
  making_topic_ = true;
  topics::NewTopic topic{.name = std::string(kOffsetsTopic),
                         .partitions = settings_.offsets_partitions,
                         .config = {{"cleanup.policy", "compact"},
                                    {"compression.type", "producer"},
                                    {"max.message.bytes", std::to_string(settings_.max_record_bytes)},
                                    {"segment.bytes", std::to_string(settings_.offsets_segment_bytes)}},
                         .internal = true};
  log_.create_topic(std::move(topic), loop_, [this](auto made) {
    making_topic_ = false;
    // Another loop's groups may have been quicker.
    if (made || made.error().code == ErrorCode::already_exists) return send();
    log::error("offsets_topic_not_made", {{"reason", made.error().message()}});
    std::vector<Write> failed = std::exchange(gathered_, {});
    for (Write& write : failed) write.error = refusal(made.error().code);
    finish(std::move(failed));
  });
}

void GroupLog::add_batches(const topics::Topic& topic, topics::AppendRequest& request) {
  const std::int64_t timestamp = clock_.wall().count();
  const auto limit = static_cast<std::size_t>(topic.log_config.max_message_bytes);
  builders_.resize(topic.partitions.size());
  const auto close = [&](std::size_t partition) {
    if (builders_[partition].empty()) return;
    request.items.push_back({topic.partitions[partition], builders_[partition].finish()});
  };
  std::size_t bytes = 0;
  std::size_t taken = 0;
  for (; taken < gathered_.size() && bytes < kRequestBytes; ++taken) {
    Write& write = gathered_[taken];
    const auto partition = static_cast<std::size_t>(write.partition);
    const auto record_of = [&](const GroupRecord& record) {
      return RecordView{
          .key = as_bytes(record.key), .value = view_of(record.value), .headers = {}, .timestamp_ms = timestamp};
    };
    for (const GroupRecord& record : write.records) {
      if (kBatchHeaderSize + RecordBatchBuilder::upper_bound(record_of(record)) > limit) {
        write.error = KafkaError::invalid_commit_offset_size;
      }
    }
    if (write.error != KafkaError::none) continue;  // all of a write or nothing
    for (const GroupRecord& record : write.records) {
      const std::size_t size = RecordBatchBuilder::upper_bound(record_of(record));
      if (builders_[partition].size_bytes() + size > std::min(kBatchBytes, limit)) close(partition);
      builders_[partition].append(record_of(record));
      bytes += size;
    }
  }
  for (std::size_t i = 0; i < builders_.size(); ++i) close(i);
  const auto end = gathered_.begin() + static_cast<std::ptrdiff_t>(taken);
  in_flight_.assign(std::make_move_iterator(gathered_.begin()), std::make_move_iterator(end));
  gathered_.erase(gathered_.begin(), end);
}

void GroupLog::settle(std::unique_ptr<topics::AppendRequest> request) {
  std::vector<Write> writes = std::exchange(in_flight_, {});
  for (const topics::PartitionAppend& item : request->items) {
    if (item.outcome) continue;
    log::error("group_records_refused", {{"reason", item.outcome.error().message()}});
    for (Write& write : writes) {
      if (write.partition == item.partition->name().partition.value() && write.error == KafkaError::none) {
        write.error = refusal(item.outcome.error().code);
      }
    }
  }
  request->items.clear();
  request->done = nullptr;
  request_ = std::move(request);
  send();  // before the callbacks: the next commit begins while these are answered
  finish(std::move(writes));
}

void GroupLog::finish(std::vector<Write> writes) {
  const Now now{clock_.mono(), clock_.wall()};
  for (Write& write : writes) write.stored(now, write.error);
  settled_();
}

}  // namespace millrace::kafka
