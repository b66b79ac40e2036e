// Evaluation: everything the rules of one message share while they are evaluated: the payload parsed once, the members
// that rules name resolved once, the arena, and the message's own facts (topic, client, time).
//
// Thread: one owner, one per loop; reused from message to message so that the common path allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "model/device_message.h"
#include "model/ids.h"
#include "sql/arena.h"
#include "sql/json_document.h"
#include "sql/outside.h"
#include "sql/paths.h"
#include "sql/value.h"
#include "sql/version.h"

namespace millrace::sql {

class TimePattern;
class TimeZone;

class Evaluation {
 public:
  /// `seed` for newuuid(), traceid() and rand().
  explicit Evaluation(std::uint64_t seed);

  /// Starts the next message; everything handed out for the last one is void. `topic` is what topic() answers (the
  /// message's, or the part behind a Basic Ingest prefix).
  void begin(const DeviceMessage& message, std::string_view topic);

  /// What one rule may cost for one message, in steps of about ten nanoseconds: seven milliseconds, which leaves three
  /// of the ten promised for the payload, an errorAction and steps that are longer.
  static constexpr std::int64_t kFuel = 700'000;
  /// Bytes of text that are made, read or compared in one step; memory that is touched first costs most of it.
  static constexpr std::size_t kBytesPerStep = 12;
  /// The next rule of this message starts, with its own fuel and `variables` variables of its own.
  void begin_rule(std::size_t variables = 0) {
    fuel_ = kFuel;
    waits_ = false;
    problem_ = {};
    if (variables_.size() < variables) variables_.resize(variables);
  }
  /// Takes fuel. False when there is none left: whatever was to be worked out is Undefined.
  bool spend(std::size_t steps) {
    fuel_ -= static_cast<std::int64_t>(steps);
    return fuel_ >= 0;
  }
  [[nodiscard]] bool exhausted() const { return fuel_ < 0; }
  /// A rule that failed for want of fuel still has an errorAction, whose templates need some.
  void refuel() {
    if (exhausted()) fuel_ = kFuel / 8;
  }

  /// Whom external functions ask; null: nobody, and they are Undefined. Outlives the evaluation.
  void set_outside(Outside* outside) { outside_ = outside; }
  [[nodiscard]] Outside* outside() const { return outside_; }
  /// What an external function of this rule was told, where that is no answer.
  void note(const Question& question, const Outside::Answer& answer);
  /// An external function of this rule waits for its answer: what came of the rule means nothing.
  [[nodiscard]] bool waits() const { return waits_; }
  /// Why an external function of this rule failed; empty: none did.
  [[nodiscard]] std::string_view problem() const { return problem_; }

  /// The rule's SET variables.
  [[nodiscard]] const Value& variable(std::uint32_t index) const { return variables_[index]; }
  void set_variable(std::uint32_t index, const Value& value) { variables_[index] = value; }
  /// What nested SELECTs and FOREACH stand at, by depth.
  static constexpr std::uint32_t kMaxElements = 8;
  [[nodiscard]] Value& element(std::uint32_t depth) { return elements_[depth]; }

  [[nodiscard]] Arena& arena() { return arena_; }
  [[nodiscard]] const DeviceMessage& message() const { return *message_; }
  [[nodiscard]] std::string_view topic() const { return topic_; }
  [[nodiscard]] std::string_view payload() const { return as_text(message_->payload); }

  /// The payload as JSON, parsed at the first call per message. False: document().fault_text() says why.
  bool payload_is_json();
  [[nodiscard]] const JsonDocument& document() const { return document_; }
  /// The payload member at a path that Paths gave the number `index`; Undefined when absent or when the payload is no
  /// JSON object.
  [[nodiscard]] Value slot(std::uint32_t index, const Paths::Path& path) {
    if (index >= slots_.size() || slots_[index].generation != generation_) resolve(index, path);
    return slots_[index].value;
  }
  /// A document for decode(): owned here, lives until the next message. nullptr when too many were asked for.
  [[nodiscard]] JsonDocument* extra_document();

  [[nodiscard]] Rng& rng() { return rng_; }
  [[nodiscard]] const Rng& rng() const { return rng_; }
  /// Takes chance back to an earlier state, for judging a message again.
  void set_rng(const Rng& rng) {
    rng_ = rng;
    trace_id_ = {};
  }
  /// The same for the whole message.
  [[nodiscard]] std::string_view trace_id();
  [[nodiscard]] std::string_view new_uuid();
  /// Formatted time, remembered per pattern, zone and second. Lives until the next message.
  [[nodiscard]] std::string_view format_time(const TimePattern& pattern, const TimeZone& zone,
                                             std::int64_t milliseconds);

  /// Of the program that runs now.
  Version version = Version::v2016_03_23;

  /// Of the payload and of what decode() reads.
  void set_max_json_depth(std::uint32_t depth) {
    max_depth_ = depth;
    document_.set_max_depth(depth);
  }

 private:
  struct Slot {
    std::uint64_t generation = 0;
    Value value;
  };
  struct FormattedTime {
    std::uint64_t pattern = 0;
    const TimeZone* zone = nullptr;
    std::int64_t second = 0;
    std::size_t size = 0;
    std::array<char, 64> text{};
  };
  void resolve(std::uint32_t index, const Paths::Path& path);

  Arena arena_;
  JsonDocument document_;
  Rng rng_;
  const DeviceMessage* message_ = nullptr;
  std::string_view topic_;
  std::uint64_t generation_ = 0;
  std::vector<Slot> slots_;
  std::vector<Value> variables_;
  std::array<Value, kMaxElements> elements_;
  std::int64_t fuel_ = kFuel;
  Outside* outside_ = nullptr;
  bool waits_ = false;
  std::string_view problem_;
  enum class Payload : std::uint8_t { unknown, json, other };
  Payload payload_state_ = Payload::unknown;
  std::string_view trace_id_;
  std::array<FormattedTime, 8> times_{};
  std::vector<std::unique_ptr<JsonDocument>> extra_;
  std::size_t extra_used_ = 0;
  std::uint32_t max_depth_ = JsonDocument::kDefaultDepth;
};

}  // namespace millrace::sql
