// ParkedRecord: a rule's output that waits for its topic to be created, with copies of everything it views, and of the
// message in case the topic cannot be created and the rule's error action speaks instead.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/device_message.h"
#include "model/record.h"
#include "rules/evaluator.h"

namespace millrace::pipeline {

class ParkedRecord {
 public:
  ParkedRecord(const rules::RuleOutput& output, const DeviceMessage& message,
               std::shared_ptr<const rules::RuleSet> rules, std::uint64_t message_number, std::string waits_for);
  ParkedRecord(const ParkedRecord&) = delete;
  ParkedRecord& operator=(const ParkedRecord&) = delete;

  [[nodiscard]] const rules::RuleOutput& output() const { return output_; }
  [[nodiscard]] const DeviceMessage& message() const { return message_; }
  /// The topic that is being created: the output's own, or for a delivery that of another action of its rule.
  [[nodiscard]] const std::string& waits_for() const { return waits_for_; }
  [[nodiscard]] bool is_delivery() const {
    return output_.kind == rules::RuleOutput::Kind::delivery && output_.action != rules::kErrorAction;
  }
  /// The rule has its error message for this message. Requires a delivery.
  void mark_reported();
  /// The same for all that one message left parked.
  [[nodiscard]] std::uint64_t message_number() const { return message_number_; }

 private:
  std::string_view keep(std::string_view text);
  ByteView keep(ByteView bytes) { return as_bytes(keep(as_text(bytes))); }

  std::shared_ptr<const rules::RuleSet> rules_;  // keeps output_.rule alive
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<RecordHeader> headers_;
  rules::RuleOutput output_;
  DeviceMessage message_;
  std::uint64_t message_number_;
  std::string waits_for_;
  std::string* value_ = nullptr;  // the text that output_.value views
};

}  // namespace millrace::pipeline
