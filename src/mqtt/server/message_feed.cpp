#include "mqtt/server/message_feed.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::mqtt {
namespace {

constexpr std::size_t kReadBytes = 262'144;
constexpr int kMessagesPerTurn = 4'096;

}  // namespace

Result<bool> MessageReader::open_next_batch() {
  records_.reset();
  if (next_batch_ == batches_.size()) return false;
  const ByteView batch = batches_[next_batch_++].view();
  MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(batch));
  records_.emplace(RecordReader::of_batch(header, batch));
  return true;
}

Result<std::optional<LoggedMessage>> MessageReader::next(topics::Partition& partition, Offset offset, Offset end) {
  if (offset < asked_) *this = {};
  asked_ = offset;
  if (current_ && current_->offset >= offset && current_->offset < end) return current_;
  for (;;) {
    while (records_ && !records_->done()) {
      MR_TRY_ASSIGN(const ReadRecord record, records_->next());
      if (record.offset < offset) continue;
      if (!record.record.value) continue;
      MR_TRY_ASSIGN(const StoredMessage message, decode_stored(*record.record.value));
      current_ = LoggedMessage{record.offset, message, record.record.key.value_or(ByteView{})};
      if (record.offset >= end) return std::nullopt;
      return current_;
    }
    current_.reset();
    MR_TRY_ASSIGN(const bool opened, open_next_batch());
    if (opened) continue;
    const Offset from = std::max({offset, partition.log_start(), batches_.empty() ? Offset(0) : batches_end_});
    if (from >= end || from >= partition.high_watermark()) return std::nullopt;
    MR_TRY_ASSIGN(auto read, partition.read(from, kReadBytes));
    batches_ = std::move(read.batches);
    next_batch_ = 0;
    if (batches_.empty()) return std::nullopt;
    MR_TRY_ASSIGN(const BatchHeader last, parse_batch_header(batches_.back().view()));
    batches_end_ = last.next_offset();
  }
}

MessageFeed::~MessageFeed() {
  *alive_ = false;
}

void MessageFeed::stop() {
  watchers_ = 0;
  if (waiting_) partition_->cancel_waits(loop_);
  partition_.reset();
}

void MessageFeed::watch() {
  if (!partition_ || watchers_++ != 0) return;
  position_ = std::max(position_, partition_->high_watermark());
  wait();
}

void MessageFeed::unwatch() {
  if (partition_) --watchers_;
}

void MessageFeed::wait() {
  if (waiting_ || watchers_ == 0) return;
  waiting_ = true;
  partition_->when_beyond(position_, loop_, [this, alive = alive_] {
    if (!*alive) return;
    waiting_ = false;
    if (watchers_ != 0) read_on();
  });
}

void MessageFeed::read_on() {
  const Offset end = partition_->high_watermark();
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    const auto next = reader_.next(*partition_, position_, end);
    if (!next) {
      // Damage is not skipped in silence, and it must not keep everybody else from being served.
      log::error("mqtt_message_topic_unreadable", {{"offset", position_.value()}, {"reason", next.error().message()}});
      reader_ = {};
      position_ = end;
      break;
    }
    if (!*next) {
      position_ = end;
      reader_ = {};
      break;
    }
    hear_(**next);
    position_ = (*next)->offset + 1;
  }
  wait();  // asked at once when there is more
}

}  // namespace millrace::mqtt
