#include "mqtt/session/delivery.h"

#include "base/byte_writer.h"
#include "net/stream.h"

namespace millrace::mqtt {
namespace {

constexpr std::size_t kExpirySize = 5;
constexpr std::size_t kAliasSize = 3;

}  // namespace

void Delivery::begin(const Message& message, SharedMessagePtr shared, std::uint32_t now_s) {
  message_ = message;
  shared_ = std::move(shared);
  if (!payload_.empty()) payload_ = SharedBytes();
  for (Encoded& encoded : encoded_) encoded.bytes.clear();
  now_s_ = now_s;
}

const SharedMessagePtr& Delivery::share() {
  if (!shared_) shared_ = std::make_shared<const SharedMessage>(message_, now_s_);
  return shared_;
}

std::size_t Delivery::property_size(const DeliveryForm& form) const {
  std::size_t size = message_.properties.size() + (message_.expiry_s ? kExpirySize : 0);
  for (const std::uint32_t identifier : form.identifiers) size += 1 + uvarint_size(identifier);
  if (form.alias != 0) size += kAliasSize;
  return size;
}

std::size_t Delivery::remaining_length(const DeliveryForm& form) const {
  std::size_t size =
      2 + (form.alias_known ? 0 : message_.topic.size()) + (form.qos != 0 ? 2 : 0) + message_.payload.size();
  if (form.v5) {
    const std::size_t properties = property_size(form);
    size += uvarint_size(properties) + properties;
  }
  return size;
}

std::size_t Delivery::packet_size(const DeliveryForm& form) const {
  const std::size_t remaining = remaining_length(form);
  return 1 + uvarint_size(remaining) + remaining;
}

void Delivery::encode(Buffer& buffer, const DeliveryForm& form, std::size_t* packet_id_at) const {
  ByteWriter out(buffer);
  out.u8(static_cast<std::uint8_t>(0x30U | (form.duplicate ? 8U : 0U) | static_cast<unsigned>(form.qos << 1U) |
                                   (form.retain ? 1U : 0U)));
  out.uvarint(remaining_length(form));
  const std::string_view topic = form.alias_known ? std::string_view{} : message_.topic;
  out.be(static_cast<std::uint16_t>(topic.size()));
  out.text(topic);
  if (form.qos != 0) {
    if (packet_id_at != nullptr) *packet_id_at = buffer.size();
    out.be(form.packet_id);
  }
  if (form.v5) {
    out.uvarint(property_size(form));
    out.bytes(message_.properties);
    if (message_.expiry_s) {
      out.u8(static_cast<std::uint8_t>(protocol::PropertyId::message_expiry_interval));
      out.be(*message_.expiry_s);
    }
    for (const std::uint32_t identifier : form.identifiers) {
      out.u8(static_cast<std::uint8_t>(protocol::PropertyId::subscription_identifier));
      out.uvarint(identifier);
    }
    if (form.alias != 0) {
      out.u8(static_cast<std::uint8_t>(protocol::PropertyId::topic_alias));
      out.be(form.alias);
    }
  }
  if (!shares_payload()) out.bytes(message_.payload);
}

void Delivery::write(net::Stream& stream, const DeliveryForm& form) {
  Buffer& out = stream.output();
  if (form.duplicate || !form.identifiers.empty() || form.alias != 0) {
    encode(out, form, nullptr);
  } else {
    Encoded& encoded = encoded_[(form.v5 ? 6U : 0U) + form.qos * 2U + (form.retain ? 1U : 0U)];
    if (encoded.bytes.empty()) encode(encoded.bytes, form, &encoded.packet_id_at);
    const std::size_t at = out.size();
    out.append(encoded.bytes.view());
    if (form.qos != 0) store_be(out.data() + at + encoded.packet_id_at, form.packet_id);
  }
  if (shares_payload()) {
    if (payload_.empty()) payload_ = SharedBytes::copy_of(message_.payload);
    stream.send(payload_);
  }
  stream.mark_dirty();
}

}  // namespace millrace::mqtt
