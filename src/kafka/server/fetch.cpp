// Fetch: batches from the log's memory, or parts of segment files, sent as they are and not copied. With less than
// min_bytes there, the request waits until a watched partition grows or max_wait is over. What lies on disk is read on
// the disk threads. KIP-227 (sessions): declined with session id 0, so clients send full requests.
#include "kafka/protocol/messages/fetch.h"

#include <algorithm>

#include "base/log.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/fetch_plan.h"
#include "kafka/server/partition_watches.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

class WaitingFetch final : public Waiter, public std::enable_shared_from_this<WaitingFetch> {
 public:
  WaitingFetch(Endpoint& endpoint, Request request, FetchRequest message)
      : endpoint_(endpoint), request_(std::move(request)), message_(std::move(message)), plan_(make_plan()) {}

  void start() {
    request_.connection().add_waiter(shared_from_this());
    if (message_.max_wait_ms <= 0 || plan_.parts().empty()) {
      overdue_ = true;
    } else {
      timer_ = endpoint_.executor().run_after(std::chrono::milliseconds(message_.max_wait_ms),
                                              [self = shared_from_this()] { self->on_timer(); });
    }
    gather();
  }

  void on_news() override {
    if (!done_ && !reading_) gather();
  }
  void finish_now() override {
    overdue_ = true;
    if (!done_ && !reading_) respond();
  }
  void abandon() override { release(); }

 private:
  [[nodiscard]] FetchPlan make_plan() const {
    const auto bytes = [](std::int32_t count) { return static_cast<std::size_t>(std::max(count, 0)); };
    FetchPlan plan(std::min(bytes(message_.max_bytes), endpoint_.settings().fetch_max_bytes),
                   bytes(message_.min_bytes));
    const auto& table = endpoint_.table();
    for (const auto& topic : message_.topics) {
      const topics::Topic* found = table->find(topic.topic);
      const bool allowed = may_topic(request_, AclOperation::read, topic.topic);
      for (const auto& asked : topic.partitions) {
        FetchPlan::Part part;
        part.partition = find_partition(found, asked.partition);
        part.from = Offset(asked.fetch_offset);
        part.max_bytes = bytes(asked.partition_max_bytes);
        if (!allowed) {
          part.partition = nullptr;
          part.error = KafkaError::topic_authorization_failed;
        } else if (part.partition == nullptr) {
          part.error = KafkaError::unknown_topic_or_partition;
        } else if (asked.current_leader_epoch > kLeaderEpoch) {
          part.error = KafkaError::unknown_leader_epoch;
        }
        plan.add(std::move(part));
      }
    }
    return plan;
  }

  void on_timer() {
    timer_ = 0;
    overdue_ = true;
    if (!done_ && !reading_) respond();
  }

  void gather() {
    const FetchPlan::Outcome outcome = plan_.gather(false);
    if (outcome != FetchPlan::Outcome::on_disk) return judge(outcome);
    unwatch();
    reading_ = true;
    request_.connection().begin_disk_read();
    endpoint_.disk().post([self = shared_from_this(), plan = std::move(plan_)]() mutable {
      const FetchPlan::Outcome found = plan.gather(true);
      Executor& loop = self->endpoint_.executor();
      loop.post(
          [self = std::move(self), plan = std::move(plan), found]() mutable { self->on_read(std::move(plan), found); });
    });
  }

  void on_read(FetchPlan plan, FetchPlan::Outcome outcome) {
    plan_ = std::move(plan);
    reading_ = false;
    if (!done_) judge(outcome);
    request_.connection().end_disk_read();
  }

  void judge(FetchPlan::Outcome outcome) {
    report_damage();
    if (outcome == FetchPlan::Outcome::enough || overdue_) return respond();
    for (const FetchPlan::Part& part : plan_.parts()) {
      endpoint_.watches().watch(part.partition, part.high_watermark, shared_from_this());
    }
    watching_ = true;
  }

  void report_damage() {
    for (const FetchPlan::Part& part : plan_.parts()) {
      if (part.damage.empty()) continue;
      endpoint_.metrics().damaged_reads.add();
      if (const auto line = endpoint_.damage_lines().take(endpoint_.clock().mono())) {
        log::error("damaged_batch", {{"partition", part.partition->name().to_string()},
                                     {"offset", part.from.value()},
                                     {"reason", part.damage},
                                     {"effect", "the read is answered with an error"},
                                     {"lines_left_out", line->left_out}});
      }
    }
  }

  void unwatch() {
    if (!std::exchange(watching_, false)) return;
    for (const FetchPlan::Part& part : plan_.parts()) endpoint_.watches().unwatch(part.partition.get(), this);
  }

  void release() {
    if (done_) return;
    done_ = true;
    if (timer_ != 0) endpoint_.executor().cancel(std::exchange(timer_, 0));
    unwatch();
  }

  void respond() {
    const auto self = shared_from_this();  // release() may drop the last other owner
    release();
    FetchResponse response;
    response.responses.reserve(message_.topics.size());
    auto part = plan_.parts().begin();
    for (const auto& topic : message_.topics) {
      auto& out_topic = response.responses.emplace_back();
      out_topic.topic = topic.topic;
      out_topic.partitions.reserve(topic.partitions.size());
      for (const auto& asked : topic.partitions) {
        auto& out = out_topic.partitions.emplace_back();
        out.partition_index = asked.partition;
        out.error_code = code(part->error);
        out.high_watermark = part->high_watermark.value();
        out.last_stable_offset = part->high_watermark.value();  // no transactions: everything is decided
        out.log_start_offset = part->log_start.value();
        constexpr std::int8_t kReadCommitted = 1;
        if (message_.isolation_level != kReadCommitted) out.aborted_transactions.reset();
        auto& records = out.records.emplace();
        records.batches = std::move(part->batches);
        records.file = std::move(part->file);
        ++part;
      }
    }
    request_.respond(response);
    request_.connection().remove_waiter(this);
  }

  Endpoint& endpoint_;
  Request request_;
  FetchRequest message_;
  FetchPlan plan_;
  TimedExecutor::TimerId timer_ = 0;
  bool overdue_ = false;   // max_wait is over: answer with what there is
  bool reading_ = false;   // plan_ is with the disk threads
  bool watching_ = false;  // every partition of plan_ is
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
