// Evaluator: one device message in, everything its rules want done out.
//
// Thread: one owner (one per loop). It holds scratch memory that is reused, so the common path allocates nothing per message; the
// span it returns and every view in it are valid until the next call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "model/device_message.h"
#include "model/record.h"
#include "rules/rule_set.h"

namespace millrace::rules {

/// One thing to do. `rule` lives as long as the RuleSet.
struct RuleOutput {
  enum class Kind : std::uint8_t { kafka, republish };
  Kind kind = Kind::kafka;
  const Rule* rule = nullptr;
  std::size_t action = 0;             // index into rule->actions; kErrorAction for the error action
  std::string_view topic;             // Kafka topic or MQTT topic, resolved and checked
  std::optional<ByteView> key;
  std::optional<std::int32_t> partition;
  ByteView value;
  std::span<const RecordHeader> headers;
  std::uint8_t qos = 0;               // republish
  bool retain = false;                // republish
};
inline constexpr std::size_t kErrorAction = static_cast<std::size_t>(-1);

class Evaluator {
 public:
  /// `traceid_source` seeds traceid() and newuuid().
  explicit Evaluator(std::uint64_t traceid_source);
  ~Evaluator();

  struct Outcome {
    std::span<const RuleOutput> outputs;
    std::uint32_t matched = 0;  // rules whose FROM and WHERE held; 0 means "no rule matched"
  };
  /// Runs every rule of `rules` whose FROM filter matches. An action whose template does not resolve, or whose topic is not a valid
  /// name, becomes that rule's errorAction output instead (one per rule and message, AWS's error JSON); rules without errorAction
  /// only count it. Never throws.
  Outcome evaluate(const RuleSet& rules, const DeviceMessage& message);

  /// The errorAction output for an action that failed after evaluation (its topic does not exist, record too large).
  /// nullopt when the rule has none. Views are valid until the next call of anything here.
  std::optional<RuleOutput> error_output(const RuleOutput& failed, const DeviceMessage& message, std::string_view reason);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::rules
