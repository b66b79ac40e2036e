#include "topics/table_topic.h"

#include <utility>

#include "model/record_batch.h"

namespace millrace::topics {

namespace {

/// Read and visited in one turn of the loop: some milliseconds.
constexpr std::size_t kLoadPiece = 1_MiB;

}  // namespace

struct TableTopic::Loading {
  TopicLog& log;
  const Clock& clock;
  Executor& loop;
  TableSpec spec;
  Visit visit;
  Opened opened;
  std::shared_ptr<Partition> partition = nullptr;
  std::size_t max_batch_bytes = 0;
  Offset next = Offset(0);
  BatchRecords records = BatchRecords();
};

TableTopic::TableTopic(TopicLog& log, const Clock& clock, Executor& loop, std::string name,
                       std::shared_ptr<Partition> partition, std::size_t max_batch_bytes)
    : log_(log),
      clock_(clock),
      loop_(loop),
      name_(std::move(name)),
      partition_(std::move(partition)),
      max_batch_bytes_(max_batch_bytes) {}

void TableTopic::open(TopicLog& log, const Clock& clock, Executor& loop, TableSpec spec, Visit visit, Opened opened) {
  auto loading = std::make_unique<Loading>(log, clock, loop, std::move(spec), std::move(visit), std::move(opened));
  NewTopic topic{
      .name = loading->spec.name, .partitions = 1, .config = loading->spec.config, .internal = loading->spec.internal};
  topic.config["cleanup.policy"] = "compact";
  log.create_topic(std::move(topic), loop, [loading = std::move(loading)](auto created) mutable {
    std::shared_ptr<const Topic> found;
    if (created) {
      found = *created;
    } else if (created.error().code == ErrorCode::already_exists) {
      const auto table = loading->log.table();
      const auto it = table->topics.find(loading->spec.name);
      if (it != table->topics.end()) found = it->second;
    }
    if (!found) {
      return loading->opened(created ? fail(ErrorCode::not_found, "opening a table topic", loading->spec.name)
                                     : std::unexpected(created.error()));
    }
    if (found->partitions.size() != 1) {
      return loading->opened(
          fail(ErrorCode::invalid_argument, "opening a table topic",
               loading->spec.name + " must have one partition; delete or rename the one that is there"));
    }
    loading->partition = found->partitions.front();
    loading->max_batch_bytes = static_cast<std::size_t>(found->log_config.max_message_bytes);
    loading->next = loading->partition->log_start();
    load(std::move(loading));
  });
}

void TableTopic::load(std::unique_ptr<Loading> loading) {
  Partition& partition = *loading->partition;
  if (loading->next >= partition.high_watermark()) {
    auto table = std::shared_ptr<TableTopic>(new TableTopic(
        loading->log, loading->clock, loading->loop, loading->spec.name, loading->partition, loading->max_batch_bytes));
    return loading->opened(std::move(table));
  }
  const auto read = partition.read(loading->next, kLoadPiece);
  if (!read) {
    if (read.error().code != ErrorCode::out_of_range) return loading->opened(std::unexpected(read.error()));
    loading->next = partition.log_start();  // retention moved it meanwhile
  } else {
    for (const SharedBytes& batch : read->batches) {
      const auto next = loading->records.visit(batch.view(), loading->next, [&](const ReadRecord& record) {
        if (record.record.key) loading->visit(*record.record.key, record.record.value);
      });
      if (!next) return loading->opened(std::unexpected(next.error()));
      loading->next = *next;
    }
  }
  Executor& loop = loading->loop;
  loop.post([loading = std::move(loading)]() mutable { load(std::move(loading)); });
}

void TableTopic::put(ByteView key, std::optional<ByteView> value, Done done) {
  const RecordView record{.key = key, .value = value, .headers = {}, .timestamp_ms = clock_.wall().count()};
  const std::size_t size = RecordBatchBuilder::upper_bound(record);
  if (kBatchHeaderSize + size > max_batch_bytes_) {
    if (!done) return;
    return loop_.post([done = std::move(done), name = name_]() mutable {
      done(fail(ErrorCode::too_large, "a change of a table is over its max.message.bytes", name));
    });
  }
  if (!builder_.empty() && builder_.size_bytes() + size > max_batch_bytes_) close_group();
  builder_.append(record);
  gathering_bytes_ += size;
  if (done) waiting_.push_back(std::move(done));
  // Behind everything else of this turn: what is put in one turn shares a batch.
  if (request_ && !std::exchange(send_posted_, true)) {
    loop_.post([self = shared_from_this()] {
      self->send_posted_ = false;
      self->send();
    });
  }
}

void TableTopic::close_group() {
  groups_.push_back({.batch = builder_.finish(), .waiting = std::exchange(waiting_, {})});
}

void TableTopic::send() {
  if (!request_) return;
  if (!builder_.empty()) close_group();
  if (groups_.empty()) return;
  for (Group& group : groups_) {
    request_->items.push_back({.partition = partition_, .batch = std::move(group.batch)});
  }
  in_flight_ = std::exchange(groups_, {});
  in_flight_bytes_ = std::exchange(gathering_bytes_, 0);
  request_->reply_to = &loop_;
  request_->done = [self = shared_from_this()](std::unique_ptr<AppendRequest> back) { self->settle(std::move(back)); };
  log_.append(std::move(request_));
}

void TableTopic::settle(std::unique_ptr<AppendRequest> request) {
  std::vector<Group> settled = std::exchange(in_flight_, {});
  std::vector<Result<AppendResult>> outcomes;
  for (PartitionAppend& item : request->items) outcomes.push_back(std::move(item.outcome));
  request->items.clear();
  request->done = {};
  request_ = std::move(request);
  in_flight_bytes_ = 0;
  send();  // before the callbacks: what they put goes with the next request
  for (std::size_t i = 0; i < settled.size(); ++i) {
    for (Done& done : settled[i].waiting) {
      done(outcomes[i] ? Result<void>{} : std::unexpected(outcomes[i].error()));
    }
  }
}

}  // namespace millrace::topics
