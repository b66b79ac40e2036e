#include "mqtt/server/inbound_batch.h"

#include "mqtt/session/session.h"

namespace millrace::mqtt {

void InboundBatch::set_properties(const protocol::Properties& properties) {
  DeviceMessage& message = messages_.back();
  const std::size_t first = user_properties_.size();
  properties.for_each([&](const protocol::Property& property) {
    using enum protocol::PropertyId;
    switch (property.id) {
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
  const Pressure pressure = receiver.receive(messages_, sink);
  messages_.clear();
  user_properties_.clear();
  user_ties_.clear();
  delivery_ids_.clear();
  delivery_ties_.clear();
  return pressure;
}

}  // namespace millrace::mqtt
