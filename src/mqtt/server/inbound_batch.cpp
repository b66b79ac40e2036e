#include "mqtt/server/inbound_batch.h"

#include "mqtt/session/session.h"

namespace millrace::mqtt {

void InboundBatch::set_properties(const protocol::Properties& properties) {
  DeviceMessage& message = messages_.back();
  const std::size_t first = user_properties_.size();
  properties.for_each([&](const protocol::Property& property) {
    using enum protocol::PropertyId;
    switch (property.id) {
      case payload_format_indicator:
        message.utf8_payload = property.number == 1;
        break;
      case content_type:
        message.content_type = property.text;
        break;
      case response_topic:
        message.response_topic = property.text;
        break;
      case correlation_data:
        message.correlation_data = as_bytes(property.text);
        break;
      case user_property:
        user_properties_.push_back({property.text, property.value});
        break;
      default:
        break;
    }
  });
  if (user_properties_.size() != first) {
    user_ties_.push_back({messages_.size() - 1, first, user_properties_.size() - first});
  }
}

void InboundBatch::set_delivery_id(std::string_view client_id, std::uint16_t packet_id) {
  const std::size_t from = delivery_ids_.size();
  append_delivery_id(delivery_ids_, client_id, packet_id);
  delivery_ties_.push_back({messages_.size() - 1, from, delivery_ids_.size() - from});
}

Pressure InboundBatch::hand_over(MessageReceiver& receiver, ReceiptSink& sink) {
  for (const Tie& tie : user_ties_) {
    messages_[tie.message].user_properties = std::span(user_properties_).subspan(tie.from, tie.count);
  }
  for (const Tie& tie : delivery_ties_) {
    messages_[tie.message].delivery_id = std::string_view(delivery_ids_).substr(tie.from, tie.count);
  }
  if (!own_ties_.empty()) tie_own_records();
  const Pressure pressure = receiver.receive(messages_, sink);
  messages_.clear();
  user_properties_.clear();
  user_ties_.clear();
  delivery_ids_.clear();
  delivery_ties_.clear();
  own_bytes_.clear();
  own_ties_.clear();
  return pressure;
}

void InboundBatch::tie_own_records() {
  own_records_.clear();
  own_records_.reserve(own_ties_.size());
  for (const OwnTie& tie : own_ties_) {
    OwnRecord& record = own_records_.emplace_back(tie.topic);
    if (tie.key_size != 0) record.key = own_bytes_.view(tie.from, tie.key_size);
    if (tie.has_value) record.value = own_bytes_.view(tie.from + tie.key_size, tie.value_size);
  }
  for (std::size_t from = 0; from < own_ties_.size();) {
    std::size_t to = from + 1;
    while (to < own_ties_.size() && own_ties_[to].message == own_ties_[from].message) ++to;
    messages_[own_ties_[from].message].own_records = std::span(own_records_).subspan(from, to - from);
    from = to;
  }
}

}  // namespace millrace::mqtt
