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
// A record is never lost silently: a missing topic is created (auto.create.topics.enable) or becomes the rule's error
// output; when that cannot be stored either, the fallback error topic takes it; when even that is missing, the receipt
// is refused (`quota`). Thread: the loop's, for every call.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "metrics/registry.h"
#include "model/device_message.h"
#include "pipeline/parked_record.h"
#include "pipeline/pipeline_metrics.h"
#include "pipeline/receipt_ledger.h"
#include "pipeline/republished_message.h"
#include "pipeline/rule_set_slot.h"
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

  /// A message of millrace's own making: subscribers hear it and rules judge it, as if a rule had republished it.
  void publish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain);

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

  Stored add_own(std::span<const OwnRecord> records, WallTime at);
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
  topics::BatchAccumulator gathered_;
  ReceiptLedger gathered_receipts_;
  bool gathered_refused_ = false;  // a parked record among them could be stored nowhere
  bool in_flight_ = false;
  bool in_flight_refused_ = false;
  ReceiptLedger in_flight_receipts_;
  MonoTime submitted_at_{};
  std::unique_ptr<topics::AppendRequest> spare_;
  std::vector<ReceiptSink*> paused_;

  std::list<ParkedRecord> parked_;
  std::set<std::string, std::less<>> creating_;
  std::vector<std::unique_ptr<RepublishedMessage>> republished_;  // not yet judged, and those before them
  int republish_depth_ = 0;                                       // of the message being judged
  struct Failed {
    rules::RuleOutput output;
    std::string_view reason;
  };
  std::vector<Failed> failed_;  // of the message being judged
  std::uint64_t message_number_ = 0;
  // Rules that have their error message for a message of which records are still parked.
  std::set<std::pair<std::uint64_t, const rules::Rule*>> reported_parked_;
  PipelineTally tally_;
  // Answers of the log may come after this object is gone (shutdown): they hold this and look first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::pipeline
