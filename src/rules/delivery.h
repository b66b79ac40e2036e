// Delivery: what the deferred actions (http, webhook, file) of one rule want done for one message, as a record of the
// internal topic __rule_deliveries. It is written in the same atomic commit as the message's other records, so what was
// acknowledged is delivered even if the process is killed before its first try. Everything is resolved: the rule may be
// changed or gone when it is carried out. Bytes: docs/formats/rule-deliveries.md.
//
// Pure. The record's key is the order: requests of one key go one behind the other. Its partition is the destination's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "model/publish_properties.h"
#include "model/record.h"
#include "rules/action.h"

namespace millrace::rules {

inline constexpr std::string_view kRuleDeliveryTopic = "__rule_deliveries";
/// Destinations are spread over them; one that does not answer holds up those it shares a partition with.
inline constexpr std::int32_t kRuleDeliveryPartitions = 16;

/// One request, or one line of a file.
struct DeliveryRequest {
  ActionDefinition::Kind kind = ActionDefinition::Kind::http;
  std::string_view method{};
  std::string_view target{};  // URL, or the file's name
  std::vector<std::pair<std::string_view, std::string_view>> headers{};
  ByteView body{};
  std::string_view answer_topic{};  // empty: the answer is not kept
  std::optional<ByteView> answer_key{};
  std::uint32_t max_batch_size = 0;  // 0: it goes alone
  std::uint32_t max_batch_bytes = 0;
  std::uint32_t max_batch_open_ms = 0;  // from received_at_ms: until then it may wait for others
  std::uint32_t timeout_ms = 0;
  std::uint64_t give_up_after_ms = 0;  // from received_at_ms; 0: never
};

/// Where the rule's errorAction wants the error message, when a request fails for good.
struct DeliveryError {
  enum class Kind : std::uint8_t { none, record, publish, request };
  Kind kind = Kind::none;
  std::string_view topic{};  // record, publish
  std::optional<ByteView> key{};
  std::optional<std::int32_t> partition{};
  std::vector<RecordHeader> headers{};
  std::uint8_t qos = 0;
  bool retain = false;
  std::optional<DeliveryRequest> request{};  // its body is the error message
  std::uint32_t request_destination = 0;
};

struct Delivery {
  /// The rule has its error message for this message already: a failure is counted only.
  bool reported = false;
  /// It carries an error message itself: when it fails there is nowhere left to go but __rule_errors.
  bool is_error = false;
  std::string_view rule{};
  std::string_view topic{};
  std::string_view client_id{};
  std::string_view trace_id{};
  std::int64_t received_at_ms = 0;
  ByteView payload{};
  DeliveryError error{};
  std::vector<DeliveryRequest> requests{};
};

void encode(const Delivery& delivery, Buffer& out);
/// Views into `bytes`. Error: malformed.
Result<Delivery> decode_delivery(ByteView bytes);
/// Sets `reported` in encoded bytes.
void mark_reported(std::uint8_t* encoded);

/// The partition of a destination: scheme, host and port of a URL, or "file:" and its name; for a URL whose host is not
/// constant, the rule.
[[nodiscard]] std::uint32_t destination_hash(std::string_view destination);
[[nodiscard]] inline std::int32_t partition_of_destination(std::uint32_t hash) {
  return static_cast<std::int32_t>(hash % static_cast<std::uint32_t>(kRuleDeliveryPartitions));
}
[[nodiscard]] std::string_view failed_action_name(ActionDefinition::Kind kind);

}  // namespace millrace::rules
