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
  /// message's, or the part behind a Basic Ingest prefix). `paths` belongs to the programs that will run and outlives
  /// them.
  void begin(const DeviceMessage& message, std::string_view topic, const Paths& paths);

  [[nodiscard]] Arena& arena() { return arena_; }
  [[nodiscard]] const DeviceMessage& message() const { return *message_; }
  [[nodiscard]] std::string_view topic() const { return topic_; }
  [[nodiscard]] std::string_view payload() const { return as_text(message_->payload); }

  /// The payload as JSON, parsed at the first call per message. False: document().fault_text() says why.
  bool payload_is_json();
  [[nodiscard]] const JsonDocument& document() const { return document_; }
  /// The payload member behind an interned path; Undefined when absent or when the payload is no JSON object.
  [[nodiscard]] const Value& slot(std::uint32_t index) {
    Slot& slot = slots_[index];
    if (slot.generation != generation_) resolve(index);
    return slot.value;
  }
  /// A document for decode(): owned here, lives until the next message. nullptr when too many were asked for.
  [[nodiscard]] JsonDocument* extra_document();

  [[nodiscard]] Rng& rng() { return rng_; }
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
  void resolve(std::uint32_t index);

  Arena arena_;
  JsonDocument document_;
  Rng rng_;
  const DeviceMessage* message_ = nullptr;
  std::string_view topic_;
  const Paths* paths_ = nullptr;
  std::uint64_t generation_ = 0;
  std::vector<Slot> slots_;
  enum class Payload : std::uint8_t { unknown, json, other };
  Payload payload_state_ = Payload::unknown;
  std::string_view trace_id_;
  std::array<FormattedTime, 8> times_{};
  std::vector<std::unique_ptr<JsonDocument>> extra_;
  std::size_t extra_used_ = 0;
  std::uint32_t max_depth_ = JsonDocument::kDefaultDepth;
};

}  // namespace millrace::sql
