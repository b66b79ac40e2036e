#include "mqtt/session/message.h"

namespace millrace::mqtt {

SharedMessage::SharedMessage(const Message& message, std::uint32_t now_s) : message_(message), received_s_(now_s) {
  bytes_.reserve(message.topic.size() + message.payload.size() + message.properties.size());
  bytes_.append(message.topic);
  bytes_.append(message.payload);
  bytes_.append(message.properties);
  message_.topic = as_text(bytes_.view(0, message.topic.size()));
  message_.payload = bytes_.view(message.topic.size(), message.payload.size());
  message_.properties = bytes_.view(message.topic.size() + message.payload.size(), message.properties.size());
}

std::optional<Message> SharedMessage::at(std::uint32_t now_s) const {
  Message message = message_;
  if (message.expiry_s) {
    const std::uint32_t waited = now_s - received_s_;
    if (waited >= *message.expiry_s && waited != 0) return std::nullopt;
    message.expiry_s = *message.expiry_s - waited;
  }
  return message;
}

ByteView forwardable(const protocol::Properties& properties, Buffer& scratch) {
  using protocol::Properties;
  using enum protocol::PropertyId;
  constexpr std::uint64_t kOwn = Properties::bit(topic_alias) | Properties::bit(message_expiry_interval) |
                                 Properties::bit(subscription_identifier) | Properties::bit(will_delay_interval);
  if (!properties.has_any(kOwn)) return properties.bytes();
  scratch.clear();
  protocol::PropertyWriter writer(scratch);
  properties.for_each([&](const protocol::Property& property) {
    if ((Properties::bit(property.id) & kOwn) == 0) writer.add(property);
  });
  return scratch.view();
}

void add_properties(const PublishProperties& properties, Buffer& out) {
  using enum protocol::PropertyId;
  protocol::PropertyWriter writer(out);
  if (properties.utf8_payload) writer.add(payload_format_indicator, *properties.utf8_payload ? 1U : 0U);
  if (!properties.content_type.empty()) writer.add(content_type, properties.content_type);
  if (!properties.response_topic.empty()) writer.add(response_topic, properties.response_topic);
  if (!properties.correlation_data.empty()) writer.add(correlation_data, as_text(properties.correlation_data));
  for (const UserProperty& user : properties.user_properties) writer.add_user(user.key, user.value);
}

}  // namespace millrace::mqtt
