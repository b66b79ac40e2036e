// MessagePipeline: one loop's way from device messages to durable records and back to acknowledgements.
//
//   receive() ──► rules ──► open batches (one per partition)          turn_end(): nothing in flight? hand all of it to
//   the log
//                   └─────► receipts, in order                        completion: settle the receipts, relieve paused
//                   sources
//
// At most one append is in flight per loop: while it is being synced the next one gathers, so commits grow with the
// load and no timer is needed. A message's records, its exactly-once ledger entry and its receipt travel in the same
// append, which the log makes durable as one atomic group.
//
// A message whose rules ask something that is not known yet is held, unjudged, in the WaitingRoom, and with it what its
// client sends later; nobody else waits. When all answers are there it is judged in one piece
// (docs/decisions/0031-messages-wait-unjudged.md).
//
// A record is never lost silently: a missing topic is created (auto.create.topics.enable) or becomes the rule's error
// output; when that cannot be stored either, the fallback error topic takes it; when even that is missing, the receipt
// is refused (`quota`). Thread: the loop's, for every call.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "metrics/registry.h"
#include "model/device_message.h"
#include "pipeline/conversation.h"
#include "pipeline/parked_record.h"
#include "pipeline/pipeline_metrics.h"
#include "pipeline/receipt_ledger.h"
#include "pipeline/republished_message.h"
#include "pipeline/rule_set_slot.h"
#include "pipeline/waiting_room.h"
#include "rules/evaluator.h"
#include "topics/batch_accumulator.h"
#include "topics/topic_log.h"

namespace millrace::pipeline {

/// Internal topics of the pipeline; app creates them before the first message.
inline constexpr std::string_view kDeliveryTopic = "__mqtt_deliveries";
inline constexpr std::string_view kFallbackErrorTopic = "__rule_errors";

struct PipelineSettings {
  /// Gathered record bytes per loop at which sources are asked to pause.
  std::size_t max_gathered_bytes = 8_MiB;
  /// A message may be republished by rules this often in a row before it is taken for a loop.
  int max_republish_depth = 4;
  /// Payloads nested deeper are no JSON to the rules.
  std::uint32_t max_json_depth = 64;
  /// Where rules' questions go; null: nothing can be asked. Outlives the pipeline.
  OutsideDesk* outside = nullptr;
  WaitingRoom::Limits waiting{};
  /// A message that has waited so long asks nothing more: what it still needs has failed.
  std::chrono::milliseconds max_wait{10'000};
  /// Mistakes for tests to find.
  enum class SeededBug : std::uint8_t { none, overtake, new_rules, settle_early, new_chance };
  SeededBug bug = SeededBug::none;
};

/// Where the republish action goes: the MQTT broker of this loop.
class Republisher {
 public:
  virtual ~Republisher() = default;
  /// True when somebody may have heard it.
  virtual bool republish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
                         const PublishProperties& properties) = 0;
};

class MessagePipeline final : public MessageReceiver {
 public:
  MessagePipeline(topics::TopicLog& log, Executor& loop, const RuleSetSlot& rules, const Clock& clock,
                  metrics::Registry& metrics, PipelineSettings settings, std::uint64_t seed);
  ~MessagePipeline() override;

  /// A message of millrace's own making: subscribers hear it and rules judge it, as if a rule had republished it. What
  /// rules make of it and `own` become durable together; then `settled` is told whether they did. It may be empty.
  using Settled = std::move_only_function<void(bool durable)>;
  void publish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
               std::span<const OwnRecord> own = {}, Settled settled = {});

  void set_republisher(Republisher* republisher) { republisher_ = republisher; }

  Pressure receive(std::span<const DeviceMessage> messages, ReceiptSink& sink) override;
  void release(std::string_view delivery_id, Receipt receipt, ReceiptSink& sink) override;
  void store(std::span<const OwnRecord> records, Receipt receipt, ReceiptSink& sink) override;
  void detach(ReceiptSink& sink) override;

  /// Call at the end of every loop turn.
  void turn_end();
  /// Nothing gathered, nothing in flight: everything received is settled.
  [[nodiscard]] bool idle() const;

 private:
  enum class Stored : std::uint8_t { yes, no };
  /// The receipts of publish().
  class Publications final : public ReceiptSink {
   public:
    Receipt add(Settled settled) {
      waiting_.emplace(++last_, std::move(settled));
      return {.connection = 1, .token = last_};
    }
    void settle(std::span<const Receipt> receipts, ReceiptStatus status) override {
      for (const Receipt& receipt : receipts) {
        if (auto one = waiting_.extract(receipt.token)) one.mapped()(status != ReceiptStatus::quota);
      }
    }
    void relieved() override {}

   private:
    std::map<std::uint64_t, Settled> waiting_;
    std::uint64_t last_ = 0;
  };

  Stored add_own(std::span<const OwnRecord> records, WallTime at);
  /// Judges, stores, and gathers the receipt. False: an answer is missing, and nothing was done.
  bool take(const DeviceMessage& message, ReceiptSink* sink);
  /// The same where rules ask. False: the message waits, for an answer or behind another of its client.
  bool take_or_hold(const DeviceMessage& message, ReceiptSink& sink);
  void hold(const DeviceMessage& message, ReceiptSink& sink);
  /// Its rules, or those of what they republish, need an answer that is not there. Judges without effect.
  bool must_wait(const DeviceMessage& message);
  void ask_for(WaitingMessage& waiting);
  void answered(std::uint64_t id, std::size_t question, OutsideDesk::Answer answer);
  /// Judges what waited, as if it had just come: with the rules and the chance of that time.
  template <class Judge>
  auto as_it_came(WaitingMessage& waiting, Judge judge);
  void advance(std::string client);

  Stored process_one(const DeviceMessage& message, std::uint32_t& matched);
  Stored process_republished();
  Stored store(const rules::RuleOutput& output, const DeviceMessage& message);
  Stored store_delivery(const rules::RuleOutput& output, const DeviceMessage& message);
  void republish(const rules::RuleOutput& output, const DeviceMessage& message);
  [[nodiscard]] bool in_a_circle() const;
  /// What failed of one rule for one message: its errorAction speaks, once.
  using FailedOutputs = std::span<const rules::Evaluator::FailedOutput>;
  Stored store_errors(FailedOutputs failed, const DeviceMessage& message);
  Stored store_fallback(const rules::RuleOutput& error, const DeviceMessage& message);
  void count_done(const rules::RuleOutput& output);
  topics::Placement place(const rules::RuleOutput& output, const DeviceMessage& message);
  void park(const rules::RuleOutput& output, const DeviceMessage& message);
  /// The topic that another action of `rule` waits for, for the message being judged; nullptr: none does.
  [[nodiscard]] const std::string* parked_for(const rules::Rule& rule) const;
  void topic_created(const std::string& name, const Error* error);
  void submit();
  void completed(std::unique_ptr<topics::AppendRequest> request);
  void relieve();

  topics::TopicLog& log_;
  Executor& loop_;
  const RuleSetSlot& slot_;
  const Clock& clock_;
  const PipelineSettings settings_;
  PipelineMetrics metrics_;
  Republisher* republisher_ = nullptr;

  rules::Evaluator evaluator_;
  std::shared_ptr<const rules::RuleSet> rules_;
  Enquiry enquiry_;
  Conversation conversation_;  // of a message that did not have to wait
  WaitingRoom waiting_;
  topics::BatchAccumulator gathered_;
  ReceiptLedger gathered_receipts_;
  bool gathered_refused_ = false;  // a parked record among them could be stored nowhere
  bool in_flight_ = false;
  bool in_flight_refused_ = false;
  ReceiptLedger in_flight_receipts_;
  MonoTime submitted_at_{};
  std::unique_ptr<topics::AppendRequest> spare_;
  std::vector<ReceiptSink*> paused_;

  Publications publications_;
  std::list<ParkedRecord> parked_;
  std::set<std::string, std::less<>> creating_;
  std::vector<std::unique_ptr<RepublishedMessage>> republished_;  // not yet judged, and those before them
  int republish_depth_ = 0;                                       // of the message being judged
  struct Failed {
    rules::RuleOutput output;
    std::string_view reason;
  };
  std::vector<Failed> failed_;   // of the message being judged
  bool answer_missing_ = false;  // for the message being judged
  std::uint64_t message_number_ = 0;
  // Rules that have their error message for a message of which records are still parked.
  std::set<std::pair<std::uint64_t, const rules::Rule*>> reported_parked_;
  PipelineTally tally_;
  // Answers of the log may come after this object is gone (shutdown): they hold this and look first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::pipeline
