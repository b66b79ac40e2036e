#include "pipeline/message_pipeline.h"

#include <algorithm>
#include <map>

#include "base/assert.h"
#include "base/log.h"
#include "rules/delivery.h"

namespace millrace::pipeline {
namespace {

using topics::Placement;

/// Messages that one message may become by republishing, times the depth.
constexpr std::size_t kRepublishedPerDepth = 16;

std::string_view reason_of(Placement placement) {
  switch (placement) {
    case Placement::no_topic:
      return "the topic does not exist";
    case Placement::no_partition:
      return "the partition does not exist";
    case Placement::too_large:
      return "the record is larger than the topic's max.message.bytes";
    case Placement::added:
      break;
  }
  return "";
}

}  // namespace

MessagePipeline::MessagePipeline(topics::TopicLog& log, Executor& loop, const RuleSetSlot& rules, const Clock& clock,
                                 metrics::Registry& metrics, PipelineSettings settings, std::uint64_t seed)
    : log_(log),
      loop_(loop),
      slot_(rules),
      clock_(clock),
      settings_(settings),
      metrics_(metrics),
      evaluator_(seed),
      rules_(rules.current()),
      enquiry_(settings.outside),
      waiting_(settings.waiting),
      gathered_(log, seed ^ 0x5DEECE66DULL) {
  evaluator_.set_max_json_depth(settings_.max_json_depth);
  enquiry_.talk(conversation_);
  evaluator_.set_outside(&enquiry_);
  evaluator_.set_clock(clock_);
}

MessagePipeline::~MessagePipeline() {
  *alive_ = false;
}

Pressure MessagePipeline::receive(std::span<const DeviceMessage> messages, ReceiptSink& sink) {
  if (rules_->version() != slot_.version()) [[unlikely]]
    rules_ = slot_.current();
  bool full = false;
  for (const DeviceMessage& message : messages) {
    if (rules_->asks() || !waiting_.empty()) [[unlikely]] {
      if (!take_or_hold(message, sink)) full = full || waiting_.full_for(message.client_id);
    } else {
      take(message, &sink);
    }
  }
  tally_.received += messages.size();
  metrics_.add(tally_);

  // A pause always ends: whatever is gathered, in flight or waiting will complete and relieve.
  const bool waits = in_flight_ || !gathered_.empty();
  if (full || (waits && (gathered_.size_bytes() > settings_.max_gathered_bytes || log_.congested()))) {
    if (std::ranges::find(paused_, &sink) == paused_.end()) paused_.push_back(&sink);
    return Pressure::pause;
  }
  return Pressure::none;
}

bool MessagePipeline::take(const DeviceMessage& message, ReceiptSink* sink) {
  std::uint32_t matched = 0;
  republish_depth_ = 0;
  answer_missing_ = false;
  Stored stored = process_one(message, matched);
  if (answer_missing_) return false;
  if (!republished_.empty() && process_republished() == Stored::no) [[unlikely]]
    stored = Stored::no;
  if (!message.delivery_id.empty()) {
    const RecordView entry{.key = as_bytes(message.delivery_id),
                           .value = ByteView{},
                           .headers = {},
                           .timestamp_ms = message.received_at.count()};
    if (gathered_.add(kDeliveryTopic, std::nullopt, entry) != Placement::added) stored = Stored::no;
  }
  if (!message.own_records.empty() && add_own(message.own_records, message.received_at) == Stored::no) {
    stored = Stored::no;
  }
  // Lifecycle events are nobody's message: that no rule asks for them is usual, not a loss.
  const bool event = message.source == MessageSource::internal && message.receipt.connection == 0;
  if (matched == 0 && !event) ++tally_.no_match;
  if (stored == Stored::no) ++tally_.refused;
  if (message.receipt.connection == 0 || sink == nullptr) return true;
  const bool nothing = matched == 0 && message.delivery_id.empty() && message.own_records.empty();
  gathered_receipts_.add(*sink, message.receipt,
                         stored == Stored::no ? ReceiptStatus::quota
                         : nothing            ? ReceiptStatus::no_match
                                              : ReceiptStatus::durable);
  return true;
}

void MessagePipeline::publish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
                              std::span<const OwnRecord> own, Settled settled) {
  if (republisher_ != nullptr) republisher_->republish(topic, payload, qos, retain, {});
  DeviceMessage message;
  message.topic = topic;
  message.payload = payload;
  message.received_at = clock_.wall();
  message.source = MessageSource::internal;
  message.qos = qos;
  message.retain = retain;
  message.own_records = own;
  if (settled) message.receipt = publications_.add(std::move(settled));
  receive({&message, 1}, publications_);
}

/// What rules republish is a message of its own, judged by all rules, in the same commit.
MessagePipeline::Stored MessagePipeline::process_republished() {
  Stored stored = Stored::yes;
  for (std::size_t next = 0; next < republished_.size(); ++next) {
    republish_depth_ = republished_[next]->depth();
    std::uint32_t ignored = 0;
    if (process_one(republished_[next]->message(), ignored) == Stored::no) stored = Stored::no;
  }
  republished_.clear();
  return stored;
}

MessagePipeline::Stored MessagePipeline::process_one(const DeviceMessage& message, std::uint32_t& matched) {
  ++message_number_;
  const rules::Evaluator::Outcome outcome = evaluator_.evaluate(*rules_, message);
  matched = outcome.matched;
  answer_missing_ = answer_missing_ || outcome.waits;
  failed_.clear();
  Stored stored = Stored::yes;
  bool deferred = false;
  for (const rules::RuleOutput& output : outcome.outputs) {
    if (output.kind == rules::RuleOutput::Kind::republish) {
      republish(output, message);
    } else if (output.kind == rules::RuleOutput::Kind::delivery && output.action != rules::kErrorAction) {
      deferred = true;  // behind the rule's other actions: it is told whether one of them failed
    } else if (store(output, message) == Stored::no) {
      stored = Stored::no;
    }
  }
  // Error outputs last: making them reuses the evaluator's memory. One per rule and message, with all that failed.
  std::vector<rules::Evaluator::FailedOutput> of_rule;
  for (std::size_t i = 0; i < failed_.size(); ++i) [[unlikely]] {
    const rules::Rule* const rule = failed_[i].output.rule;
    const auto same_rule = [&](const Failed& other) { return other.output.rule == rule; };
    if (std::ranges::any_of(std::span(failed_).first(i), same_rule)) continue;
    of_rule.clear();
    for (const Failed& other : failed_) {
      if (same_rule(other)) of_rule.push_back({&other.output, other.reason});
    }
    if (store_errors(of_rule, message) == Stored::no) stored = Stored::no;
    if (!parked_.empty()) reported_parked_.emplace(message_number_, rule);
  }
  if (!deferred) [[likely]]
    return stored;
  for (const rules::RuleOutput& output : outcome.outputs) {
    if (output.kind != rules::RuleOutput::Kind::delivery || output.action == rules::kErrorAction) continue;
    if (store_delivery(output, message) == Stored::no) stored = Stored::no;
  }
  return stored;
}

void MessagePipeline::count_done(const rules::RuleOutput& output) {
  ++tally_.records;
  if (output.action != rules::kErrorAction) output.rule->counters->actions_ok.fetch_add(1, std::memory_order_relaxed);
}

topics::Placement MessagePipeline::place(const rules::RuleOutput& output, const DeviceMessage& message) {
  const RecordView record{
      .key = output.key, .value = output.value, .headers = output.headers, .timestamp_ms = message.received_at.count()};
  return gathered_.add(output.topic, output.partition, record);
}

/// A rule whose message comes back to it would republish for ever: the last of the row fails instead.
void MessagePipeline::republish(const rules::RuleOutput& output, const DeviceMessage& message) {
  if (in_a_circle()) [[unlikely]] {
    ++tally_.republish_loops;
    failed_.push_back({output, "republished too often in a row: rules that feed each other (republish.max.depth)"});
    return;
  }
  ++tally_.republished;
  if (output.action != rules::kErrorAction) output.rule->counters->actions_ok.fetch_add(1, std::memory_order_relaxed);
  static constexpr PublishProperties kNone{};
  if (republisher_ != nullptr) {
    republisher_->republish(output.topic, output.value, output.qos, output.retain,
                            output.properties != nullptr ? *output.properties : kNone);
  }
  republished_.push_back(std::make_unique<RepublishedMessage>(output, message, republish_depth_ + 1));
}

bool MessagePipeline::in_a_circle() const {
  const std::size_t most = static_cast<std::size_t>(settings_.max_republish_depth) * kRepublishedPerDepth;
  return republish_depth_ >= settings_.max_republish_depth || republished_.size() >= most;
}

MessagePipeline::Stored MessagePipeline::store_delivery(const rules::RuleOutput& output, const DeviceMessage& message) {
  if (const std::string* const topic = parked_for(*output.rule)) {
    parked_.emplace_back(output, message, rules_, message_number_, *topic);
    return Stored::yes;
  }
  std::string marked;
  rules::RuleOutput told = output;
  if (evaluator_.has_error_message(*output.rule)) {
    marked = as_text(output.value);
    rules::mark_reported(reinterpret_cast<std::uint8_t*>(marked.data()));
    told.value = as_bytes(marked);
  }
  const Placement placement = place(told, message);
  if (placement == Placement::added) {
    ++tally_.records;
    return Stored::yes;
  }
  const rules::Evaluator::FailedOutput failed{&output, reason_of(placement)};
  return store_errors({&failed, 1}, message);
}

const std::string* MessagePipeline::parked_for(const rules::Rule& rule) const {
  for (auto at = parked_.rbegin(); at != parked_.rend() && at->message_number() == message_number_; ++at) {
    if (at->output().rule == &rule) return &at->waits_for();
  }
  return nullptr;
}

MessagePipeline::Stored MessagePipeline::store(const rules::RuleOutput& output, const DeviceMessage& message) {
  if (!creating_.empty() && creating_.contains(output.topic)) [[unlikely]] {
    park(output, message);  // behind the records that already wait for this topic
    return Stored::yes;
  }
  const Placement placement = place(output, message);
  if (placement == Placement::added) [[likely]] {
    count_done(output);
    return Stored::yes;
  }
  if (placement == Placement::no_topic && log_.auto_create()) {
    park(output, message);
    return Stored::yes;
  }
  failed_.push_back({output, reason_of(placement)});
  return Stored::yes;  // decided when its error output is stored
}

MessagePipeline::Stored MessagePipeline::store_errors(FailedOutputs failed, const DeviceMessage& message) {
  ++tally_.rule_errors;
  const rules::RuleOutput& first = *failed.front().output;
  const auto is_error = [](const rules::Evaluator::FailedOutput& one) {
    return one.output->action == rules::kErrorAction;
  };
  if (const auto own = std::ranges::find_if(failed, is_error); own != failed.end()) {
    return store_fallback(*own->output, message);
  }
  const auto error = evaluator_.error_output(failed, message);
  // One error message per rule and message: when templates of this rule failed too, theirs is already among the
  // outputs.
  if (!error) return evaluator_.has_error_message(*first.rule) ? Stored::yes : Stored::no;
  if (error->kind == rules::RuleOutput::Kind::republish) {
    if (in_a_circle()) return store_fallback(*error, message);
    republish(*error, message);
    return Stored::yes;
  }
  if (place(*error, message) != Placement::added) return store_fallback(*error, message);
  ++tally_.records;
  return Stored::yes;
}

/// The errorAction's own topic cannot take its record.
MessagePipeline::Stored MessagePipeline::store_fallback(const rules::RuleOutput& error, const DeviceMessage& message) {
  const RecordView record{
      .key = error.key, .value = error.value, .headers = error.headers, .timestamp_ms = message.received_at.count()};
  if (gathered_.add(kFallbackErrorTopic, std::nullopt, record) != Placement::added) return Stored::no;
  ++tally_.fallback_errors;
  ++tally_.records;
  return Stored::yes;
}

void MessagePipeline::park(const rules::RuleOutput& output, const DeviceMessage& message) {
  parked_.emplace_back(output, message, rules_, message_number_, std::string(output.topic));
  if (evaluator_.has_error_message(*output.rule)) reported_parked_.emplace(message_number_, output.rule);
  const std::string name(output.topic);
  if (!creating_.insert(name).second) return;
  log_.create_topic({.name = name}, loop_, [this, name, alive = alive_](auto result) {
    if (!*alive) return;
    const bool fine = result.has_value() || result.error().code == ErrorCode::already_exists;
    topic_created(name, fine ? nullptr : &result.error());
  });
}

void MessagePipeline::topic_created(const std::string& name, const Error* error) {
  creating_.erase(name);
  const std::string reason = error != nullptr ? error->message() : std::string();
  if (error != nullptr) log::warn("topic_not_created", {{"topic", name}, {"reason", reason}});
  bool refused = false;
  std::map<std::pair<std::uint64_t, const rules::Rule*>, std::vector<rules::Evaluator::FailedOutput>> failed;
  std::vector<const ParkedRecord*> of_failed;
  for (const ParkedRecord& parked : parked_) {
    if (parked.waits_for() != name || parked.is_delivery()) continue;
    const Placement placement = place(parked.output(), parked.message());
    if (placement == Placement::added) {
      count_done(parked.output());
      continue;
    }
    auto& list = failed[{parked.message_number(), parked.output().rule}];
    if (list.empty()) of_failed.push_back(&parked);
    list.push_back({&parked.output(), error != nullptr ? std::string_view(reason) : reason_of(placement)});
  }
  for (const ParkedRecord* const parked : of_failed) {
    const std::pair which(parked->message_number(), parked->output().rule);
    const bool own = parked->output().action == rules::kErrorAction;
    // Another action of this rule failed for this message before, and its error message went out then.
    if (!own && !reported_parked_.insert(which).second) {
      which.second->counters->actions_failed.fetch_add(failed[which].size(), std::memory_order_relaxed);
    } else if (store_errors(failed[which], parked->message()) == Stored::no) {
      refused = true;
    }
  }
  for (ParkedRecord& parked : parked_) {
    if (parked.waits_for() != name || !parked.is_delivery()) continue;
    if (failed.contains({parked.message_number(), parked.output().rule})) parked.mark_reported();
    if (place(parked.output(), parked.message()) != Placement::added) refused = true;
  }
  std::erase_if(parked_, [&](const ParkedRecord& parked) { return parked.waits_for() == name; });
  if (parked_.empty()) reported_parked_.clear();
  metrics_.add(tally_);
  // Some of the gathered receipts belong to a message that could be stored nowhere; which one is no longer known, so
  // none of them is acknowledged and all are sent again.
  if (refused) gathered_refused_ = true;
}

void MessagePipeline::release(std::string_view delivery_id, Receipt receipt, ReceiptSink& sink) {
  const RecordView tombstone{
      .key = as_bytes(delivery_id), .value = std::nullopt, .headers = {}, .timestamp_ms = clock_.wall().count()};
  const bool added = gathered_.add(kDeliveryTopic, std::nullopt, tombstone) == Placement::added;
  gathered_receipts_.add(sink, receipt, added ? ReceiptStatus::durable : ReceiptStatus::quota);
}

MessagePipeline::Stored MessagePipeline::add_own(std::span<const OwnRecord> records, WallTime at) {
  Stored stored = Stored::yes;
  for (const OwnRecord& own : records) {
    const RecordView record{.key = own.key, .value = own.value, .headers = {}, .timestamp_ms = at.count()};
    if (gathered_.add(own.topic, std::nullopt, record) != Placement::added) stored = Stored::no;
  }
  return stored;
}

void MessagePipeline::store(std::span<const OwnRecord> records, Receipt receipt, ReceiptSink& sink) {
  const Stored stored = add_own(records, clock_.wall());
  if (receipt.connection == 0) return;
  gathered_receipts_.add(sink, receipt, stored == Stored::yes ? ReceiptStatus::durable : ReceiptStatus::quota);
}

void MessagePipeline::detach(ReceiptSink& sink) {
  waiting_.forget(sink);
  gathered_receipts_.forget(sink);
  in_flight_receipts_.forget(sink);
  std::erase(paused_, &sink);
}

bool MessagePipeline::idle() const {
  return !in_flight_ && gathered_.empty() && gathered_receipts_.empty() && parked_.empty() && waiting_.empty();
}

void MessagePipeline::turn_end() {
  if (in_flight_ || !parked_.empty()) return;
  if (!gathered_.empty()) {
    submit();
  } else if (!gathered_receipts_.empty()) {
    gathered_receipts_.settle(std::exchange(gathered_refused_, false));
  }
}

void MessagePipeline::submit() {
  auto request = spare_ ? std::move(spare_) : std::make_unique<topics::AppendRequest>();
  gathered_.take(request->items);
  request->reply_to = &loop_;
  request->done = [this, alive = alive_](std::unique_ptr<topics::AppendRequest> back) {
    if (*alive) completed(std::move(back));
  };
  in_flight_ = true;
  in_flight_refused_ = std::exchange(gathered_refused_, false);
  std::swap(in_flight_receipts_, gathered_receipts_);
  submitted_at_ = clock_.mono();
  log_.append(std::move(request));
}

void MessagePipeline::completed(std::unique_ptr<topics::AppendRequest> request) {
  bool failed = in_flight_refused_;
  for (const topics::PartitionAppend& item : request->items) {
    if (item.outcome) continue;
    failed = true;
    log::warn("append_refused",
              {{"partition", item.partition->name().to_string()}, {"reason", item.outcome.error().message()}});
  }
  metrics_.commit_latency().observe_us(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.mono() - submitted_at_).count()));
  in_flight_ = false;
  in_flight_receipts_.settle(failed);
  request->items.clear();
  spare_ = std::move(request);
  relieve();
}

void MessagePipeline::relieve() {
  if (paused_.empty() || gathered_.size_bytes() > settings_.max_gathered_bytes || waiting_.full()) return;
  for (ReceiptSink* const sink : std::exchange(paused_, {})) sink->relieved();
}

}  // namespace millrace::pipeline
