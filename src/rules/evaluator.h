// Evaluator: one device message in, everything its rules want done out.
//
// Thread: one owner (one per loop). It holds scratch memory that is reused, so the common path allocates nothing per
// message; the span it returns and every view in it are valid until the next call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/rng.h"
#include "model/device_message.h"
#include "model/publish_properties.h"
#include "model/record.h"
#include "rules/rule_set.h"
#include "sql/outside.h"

namespace millrace::rules {

/// One thing to do. `rule` lives as long as the RuleSet.
struct RuleOutput {
  /// delivery: a record of __rule_deliveries, for all deferred actions of the rule together; whoever finds out that
  /// another action of the rule failed calls mark_reported() on a copy of `value`.
  enum class Kind : std::uint8_t { kafka, republish, delivery };
  Kind kind = Kind::kafka;
  const Rule* rule = nullptr;
  std::size_t action = 0;  // index into rule->actions, delivery: the first; kErrorAction for the error action
  std::string_view topic;  // Kafka topic or MQTT topic, resolved and checked
  std::optional<ByteView> key;
  std::optional<std::int32_t> partition;
  ByteView value;
  std::span<const RecordHeader> headers;
  std::uint8_t qos = 0;                           // republish
  bool retain = false;                            // republish
  const PublishProperties* properties = nullptr;  // republish; null: none
};
inline constexpr std::size_t kErrorAction = static_cast<std::size_t>(-1);

class Evaluator {
 public:
  /// `traceid_source` seeds traceid() and newuuid().
  explicit Evaluator(std::uint64_t traceid_source);
  ~Evaluator();

  /// Payloads nested deeper are no JSON to the rules. Default 64, at most 1024.
  void set_max_json_depth(std::uint32_t depth);
  /// Measures what rules cost (RuleCounters::nanoseconds). Outlives the evaluator.
  void set_clock(const Clock& clock);
  /// Whom the rules' external functions ask. Without one they fail. Outlives the evaluator.
  void set_outside(sql::Outside* outside);
  /// The state of chance, so that a message that waited is judged again with the numbers it had.
  [[nodiscard]] const Rng& rng() const;
  void set_rng(const Rng& rng);

  struct Outcome {
    std::span<const RuleOutput> outputs;
    /// Rules that had something to do: FROM and WHERE held, or the payload could not be evaluated. 0 means "no rule
    /// matched".
    std::uint32_t matched = 0;
    /// An answer is missing (Outside::State::waiting): nothing was done or counted. Evaluate the message again when all
    /// answers are there.
    bool waits = false;
  };
  /// Runs every rule of `rules` whose FROM filter matches. An action whose template does not resolve, or whose topic is
  /// not a valid name, becomes that rule's errorAction output instead (one per rule and message, AWS's error JSON);
  /// rules without errorAction only count it. Never throws.
  /// `trial`: nothing is counted and nothing logged.
  enum class Purpose : std::uint8_t { act, trial };
  Outcome evaluate(const RuleSet& rules, const DeviceMessage& message, Purpose purpose = Purpose::act);

  /// The errorAction output for an action that failed after evaluation (its topic does not exist, record too large).
  /// nullopt when the rule has none, when `failed` is itself an error action's output, and when this rule already has
  /// its error message for the message last evaluated: there is one per rule and message. Views are valid until the
  /// next call of error_output or evaluate; the outputs of evaluate() stay valid.
  std::optional<RuleOutput> error_output(const RuleOutput& failed, const DeviceMessage& message,
                                         std::string_view reason);

  struct FailedOutput {
    const RuleOutput* output = nullptr;
    std::string_view reason;
  };
  /// The same for several failed outputs of one rule: one error message that lists them all. Later than the message's
  /// own turn, call this once per rule and message.
  std::optional<RuleOutput> error_output(std::span<const FailedOutput> failed, const DeviceMessage& message);
  /// True when `rule` already has its error message for the message last evaluated: a further failure is counted, but
  /// adds none.
  [[nodiscard]] bool has_error_message(const Rule& rule) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::rules
