// Fetch: batches from the log's memory or segments, sent as they are and not copied. With less than min_bytes there,
// the request waits until a watched partition grows or max_wait is over. KIP-74: the first partition with data gives at
// least one batch, however large. KIP-227 (sessions): declined with session id 0, so clients send full requests.
#include "kafka/protocol/messages/fetch.h"

#include <algorithm>

#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/partition_watches.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

class WaitingFetch final : public Waiter, public std::enable_shared_from_this<WaitingFetch> {
 public:
  WaitingFetch(Endpoint& endpoint, Request request, FetchRequest message)
      : endpoint_(endpoint), request_(std::move(request)), message_(std::move(message)) {}

  void start() {
    const auto& table = endpoint_.table();
    for (const auto& topic : message_.topics) {
      const topics::Topic* found = table->find(topic.topic);
      for (const auto& asked : topic.partitions) {
        Part& part = parts_.emplace_back();
        part.partition = find_partition(found, asked.partition);
        if (part.partition == nullptr) {
          part.error = KafkaError::unknown_topic_or_partition;
        } else if (asked.current_leader_epoch > kLeaderEpoch) {
          part.error = KafkaError::unknown_leader_epoch;
        }
      }
    }
    if (gather() || message_.max_wait_ms <= 0 || parts_.empty()) return respond();
    timer_ = endpoint_.executor().run_after(std::chrono::milliseconds(message_.max_wait_ms),
                                            [self = shared_from_this()] { self->on_timer(); });
    request_.connection().add_waiter(shared_from_this());
    watch();
  }

  void on_news() override {
    if (done_) return;
    if (gather()) return respond();
    watch();
  }
  void finish_now() override {
    if (!done_) respond();
  }
  void abandon() override { release(); }

 private:
  struct Part {
    std::shared_ptr<topics::Partition> partition;
    KafkaError error = KafkaError::none;
    Offset high_watermark{-1};
    Offset log_start{-1};
    std::vector<SharedBytes> batches;
    bool watched = false;
  };

  void on_timer() {
    timer_ = 0;
    if (!done_) respond();
  }

  // Reads what is there; true when it is enough to answer: min_bytes, or an error.
  bool gather() {
    const std::size_t limit =
        std::min(static_cast<std::size_t>(std::max(message_.max_bytes, 0)), endpoint_.settings().fetch_max_bytes);
    std::size_t total = 0;
    bool failed = false;
    std::size_t next = 0;
    for (const auto& topic : message_.topics) {
      for (const auto& asked : topic.partitions) {
        Part& part = parts_[next++];
        part.batches.clear();
        if (part.error == KafkaError::none) read(part, asked, limit, total);
        failed = failed || part.error != KafkaError::none;
      }
    }
    return failed || total >= static_cast<std::size_t>(std::max(message_.min_bytes, 0));
  }

  static void read(Part& part, const FetchRequest::FetchPartition& asked, std::size_t limit, std::size_t& total) {
    part.high_watermark = part.partition->high_watermark();
    part.log_start = part.partition->log_start();
    const Offset from(asked.fetch_offset);
    if (part.partition->deleted()) {
      part.error = KafkaError::unknown_topic_or_partition;
      return;
    }
    if (from == part.high_watermark || (total >= limit && total > 0)) return;
    const std::size_t room =
        std::min(static_cast<std::size_t>(std::max(asked.partition_max_bytes, 0)), limit - std::min(limit, total));
    auto result = part.partition->read(from, room);
    if (!result) {
      part.error = result.error().code == ErrorCode::closed ? KafkaError::unknown_topic_or_partition
                                                            : to_kafka(result.error().code);
      return;
    }
    part.high_watermark = result->high_watermark;
    part.log_start = result->log_start;
    // The log gives one batch even when it is over the room; only the first partition with data may use that.
    if (total > 0 && total + result->bytes > limit) return;
    part.batches = std::move(result->batches);
    total += result->bytes;
  }

  void watch() {
    for (Part& part : parts_) {
      part.watched = true;
      endpoint_.watches().watch(part.partition, part.high_watermark, shared_from_this());
    }
  }

  void release() {
    if (done_) return;
    done_ = true;
    if (timer_ != 0) endpoint_.executor().cancel(std::exchange(timer_, 0));
    for (const Part& part : parts_) {
      if (part.watched) endpoint_.watches().unwatch(part.partition.get(), this);
    }
  }

  void respond() {
    const auto self = shared_from_this();  // release() may drop the last other owner
    release();
    FetchResponse response;
    response.responses.reserve(message_.topics.size());
    std::size_t next = 0;
    for (const auto& topic : message_.topics) {
      auto& out_topic = response.responses.emplace_back();
      out_topic.topic = topic.topic;
      out_topic.partitions.reserve(topic.partitions.size());
      for (const auto& asked : topic.partitions) {
        Part& part = parts_[next++];
        auto& out = out_topic.partitions.emplace_back();
        out.partition_index = asked.partition;
        out.error_code = code(part.error);
        out.high_watermark = part.high_watermark.value();
        out.last_stable_offset = part.high_watermark.value();  // no transactions: everything is decided
        out.log_start_offset = part.log_start.value();
        constexpr std::int8_t kReadCommitted = 1;
        if (message_.isolation_level != kReadCommitted) out.aborted_transactions.reset();
        out.records.emplace().batches = std::move(part.batches);
      }
    }
    request_.respond(response);
    request_.connection().remove_waiter(this);
  }

  Endpoint& endpoint_;
  Request request_;
  FetchRequest message_;
  std::vector<Part> parts_;  // one per partition asked for, in order
  TimedExecutor::TimerId timer_ = 0;
  bool done_ = false;
};

}  // namespace

void handle_fetch(Endpoint& endpoint, Request request) {
  auto message = request.decode<FetchRequest>();
  if (!message) return request.malformed(message.error());
  if (message->session_id != 0 || message->session_epoch > 0) {
    FetchResponse response;
    response.error_code = code(message->session_id != 0 ? KafkaError::fetch_session_id_not_found
                                                        : KafkaError::invalid_fetch_session_epoch);
    return request.respond(response);
  }
  std::make_shared<WaitingFetch>(endpoint, std::move(request), std::move(*message))->start();
}

}  // namespace millrace::kafka
