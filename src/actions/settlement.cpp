#include "actions/settlement.h"

#include <fmt/format.h>

#include "base/log.h"
#include "config/quantity.h"
#include "topics/append_and_wait.h"
#include "topics/batch_records.h"

namespace millrace::actions {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::size_t kReadBytes = 1_MiB;

std::string mark_key(std::int32_t partition, Offset offset) {
  return fmt::format("{}/{}", partition, offset.value());
}

}  // namespace

Result<std::set<Offset>> Settlement::read_marks(std::int32_t partition, Offset next) {
  std::set<Offset> marked;
  const auto table = host_.log.table();
  const topics::Topic* const topic = table->find(kMarkTopic);
  if (topic == nullptr) return marked;
  const std::string lead = std::to_string(partition) + "/";
  topics::BatchRecords batches;
  topics::Partition& marks = *topic->partitions.front();
  for (Offset at = marks.log_start(); at < marks.high_watermark();) {
    MR_TRY_ASSIGN(const storage::ReadResult read, marks.read(at, kReadBytes));
    if (read.batches.empty()) break;
    for (const SharedBytes& batch : read.batches) {
      MR_TRY_ASSIGN(at, batches.visit(batch.view(), at, [&](const ReadRecord& one) {
        const std::string_view key = one.record.key ? as_text(*one.record.key) : std::string_view();
        if (!key.starts_with(lead)) return;
        const auto number = config::parse_integer(key.substr(lead.size()));
        if (!number) return;
        if (one.record.value) {
          marked.insert(Offset(*number));
        } else {
          marked.erase(Offset(*number));
        }
      }));
    }
  }
  while (!marked.empty() && *marked.begin() < next) {
    marks_.push_back({mark_key(partition, *marked.begin()), WallTime{0}});
    marked.erase(marked.begin());
  }
  return marked;
}

std::optional<std::string> Settlement::add_answer(const rules::DeliveryRequest& request, std::string_view answer) {
  const RecordView record{
      .key = request.answer_key, .value = as_bytes(answer), .headers = {}, .timestamp_ms = host_.clock.wall().count()};
  switch (gathered_.add(request.answer_topic, std::nullopt, record)) {
    case topics::Placement::added:
      return std::nullopt;
    case topics::Placement::too_large:
      return fmt::format("the answer is larger than max.message.bytes of the topic {}", request.answer_topic);
    default:
      return fmt::format("the answer's topic {} does not exist", request.answer_topic);
  }
}

/// What cannot go where it should goes to the fallback topic.
void Settlement::add(std::string_view topic, std::optional<std::int32_t> partition, const RecordView& record) {
  if (gathered_.add(topic, partition, record) == topics::Placement::added) return;
  if (topic != kFallbackErrorTopic) return add(kFallbackErrorTopic, std::nullopt, record);
  log::error("rule_error_lost", {{"topic", topic}, {"bytes", record.value ? record.value->size() : 0}});
}

void Settlement::add_error(const rules::Delivery& delivery, std::span<const rules::Failure> failures,
                           std::int32_t partition, Offset offset) {
  using Kind = rules::DeliveryError::Kind;
  arena_.reset();
  const std::int64_t now = host_.clock.wall().count();
  const std::string_view text =
      delivery.is_error
          ? as_text(delivery.payload)
          : rules::write_error_message(
                arena_, {delivery.rule, delivery.topic, delivery.trace_id, delivery.client_id, delivery.payload},
                failures);
  RecordView record{.key = std::nullopt, .value = as_bytes(text), .headers = {}, .timestamp_ms = now};
  if (delivery.is_error || delivery.error.kind != Kind::publish) mark(partition, offset);
  if (delivery.is_error) return add(kFallbackErrorTopic, std::nullopt, record);
  switch (delivery.error.kind) {
    case Kind::none:
      log::warn("rule_failed", {{"rule", delivery.rule},
                                {"action", failures.front().action},
                                {"resource", failures.front().resource},
                                {"reason", failures.front().message},
                                {"error_action", false}});
      break;
    case Kind::record:
      record.key = delivery.error.key;
      record.headers = delivery.error.headers;
      add(delivery.error.topic, delivery.error.partition, record);
      break;
    case Kind::publish:
      publications_.push_back({std::string(delivery.error.topic), std::string(text), delivery.error.qos,
                               delivery.error.retain, new_mark(partition, offset)});
      break;
    case Kind::request: {
      rules::Delivery again;
      again.is_error = true;
      again.rule = delivery.rule;
      again.topic = delivery.topic;
      again.client_id = delivery.client_id;
      again.trace_id = delivery.trace_id;
      again.received_at_ms = now;
      again.payload = as_bytes(text);
      again.requests.push_back(*delivery.error.request);
      if (again.requests.front().body.empty()) again.requests.front().body = again.payload;
      encoded_.clear();
      rules::encode(again, encoded_);
      record.key = as_bytes(delivery.client_id);
      record.value = encoded_.view();
      add(rules::kRuleDeliveryTopic, rules::partition_of_destination(delivery.error.request_destination), record);
      break;
    }
  }
}

void Settlement::add_unreadable(ByteView bytes, std::int32_t partition, Offset offset) {
  log::error("rule_delivery_unreadable", {{"partition", partition}, {"offset", offset.value()}});
  mark(partition, offset);
  add(kFallbackErrorTopic, std::nullopt,
      {.key = std::nullopt, .value = bytes, .headers = {}, .timestamp_ms = host_.clock.wall().count()});
}

const std::string& Settlement::new_mark(std::int32_t partition, Offset offset) {
  marks_.push_back({mark_key(partition, offset), host_.clock.wall()});
  return marks_.back().key;
}

void Settlement::mark(std::int32_t partition, Offset offset) {
  const std::string& key = new_mark(partition, offset);
  gathered_.add(kMarkTopic, std::nullopt,
                {.key = as_bytes(key), .value = ByteView{}, .headers = {}, .timestamp_ms = marks_.back().at.count()});
}

void Settlement::take_back_old_marks() {
  const WallTime now = host_.clock.wall();
  while (!marks_.empty() && now - marks_.front().at > kMarkAge) {
    gathered_.add(
        kMarkTopic, std::nullopt,
        {.key = as_bytes(marks_.front().key), .value = std::nullopt, .headers = {}, .timestamp_ms = now.count()});
    marks_.pop_front();
  }
}

Result<void> Settlement::finish() {
  if (!gathered_.empty()) take_back_old_marks();
  for (const DeliveryHost::Publication& one : std::exchange(publications_, {})) {
    if (published_.contains(one.mark)) continue;  // before something behind it failed
    if (auto done = host_.publish(one); !done) {
      std::vector<topics::PartitionAppend> dropped;
      gathered_.take(dropped);
      return done;
    }
    published_.insert(one.mark);
  }
  MR_TRY(topics::append_and_wait(host_.log, gathered_, kPatience));
  published_.clear();
  return {};
}

}  // namespace millrace::actions
