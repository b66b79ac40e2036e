#include "pipeline/parked_record.h"

#include "rules/delivery.h"

namespace millrace::pipeline {

std::string_view ParkedRecord::keep(std::string_view text) {
  texts_.push_back(std::make_unique<std::string>(text));
  return *texts_.back();
}

ParkedRecord::ParkedRecord(const rules::RuleOutput& output, const DeviceMessage& message,
                           std::shared_ptr<const rules::RuleSet> rules, std::uint64_t message_number,
                           std::string waits_for)
    : rules_(std::move(rules)),
      output_(output),
      message_(message),
      message_number_(message_number),
      waits_for_(std::move(waits_for)) {
  output_.topic = keep(output.topic);
  if (output.key) output_.key = keep(*output.key);
  output_.value = keep(output.value);
  value_ = texts_.back().get();
  for (const RecordHeader& header : output.headers) {
    headers_.push_back({keep(header.key), header.value ? std::optional(keep(*header.value)) : std::nullopt});
  }
  output_.headers = headers_;
  message_.topic = keep(message.topic);
  message_.payload = keep(message.payload);
  message_.client_id = keep(message.client_id);
  message_.username = {};
  message_.source_address = {};
  message_.content_type = {};
  message_.response_topic = {};
  message_.correlation_data = {};
  message_.user_properties = {};
  message_.delivery_id = {};
}

void ParkedRecord::mark_reported() {
  rules::mark_reported(reinterpret_cast<std::uint8_t*>(value_->data()));
}

}  // namespace millrace::pipeline
