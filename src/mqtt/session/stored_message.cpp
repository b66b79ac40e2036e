#include "mqtt/session/stored_message.h"

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace millrace::mqtt {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kQosBits = 0x03;
constexpr std::uint8_t kRetain = 0x04;
constexpr std::uint8_t kExpires = 0x08;

}  // namespace

void encode_stored(Buffer& buffer, const Message& message, std::string_view publisher, WallTime now) {
  ByteWriter out(buffer);
  out.u8(kVersion);
  out.u8(static_cast<std::uint8_t>(message.qos | (message.retain ? kRetain : 0U) | (message.expiry_s ? kExpires : 0U)));
  if (message.expiry_s) out.be(static_cast<std::uint64_t>((now + std::chrono::seconds(*message.expiry_s)).count()));
  out.be(static_cast<std::uint16_t>(publisher.size()));
  out.text(publisher);
  out.be(static_cast<std::uint16_t>(message.topic.size()));
  out.text(message.topic);
  out.be(static_cast<std::uint32_t>(message.properties.size()));
  out.bytes(message.properties);
  out.bytes(message.payload);
}

Result<StoredMessage> decode_stored(ByteView bytes) {
  ByteReader in(bytes);
  StoredMessage message;
  const std::uint8_t version = in.u8();
  const std::uint8_t flags = in.u8();
  if (in.ok() && (version != kVersion || (flags & kQosBits) == 3)) {
    return fail(ErrorCode::corrupt, "stored message of an unknown version");
  }
  message.qos = flags & kQosBits;
  message.retain = (flags & kRetain) != 0;
  if ((flags & kExpires) != 0) message.expires_at = WallTime(static_cast<std::int64_t>(in.be<std::uint64_t>()));
  message.publisher = as_text(in.bytes(in.be<std::uint16_t>()));
  message.topic = as_text(in.bytes(in.be<std::uint16_t>()));
  message.properties = in.bytes(in.be<std::uint32_t>());
  message.payload = in.bytes(in.remaining());
  if (!in.ok()) return fail(ErrorCode::corrupt, "stored message ends within a field");
  return message;
}

std::optional<Message> StoredMessage::at(WallTime now) const {
  Message message{topic, payload, properties, {}, {}, qos, retain};
  if (expires_at) {
    if (*expires_at <= now) return std::nullopt;
    message.expiry_s = static_cast<std::uint32_t>((*expires_at - now + WallTime(999)).count() / 1000);
  }
  return message;
}

}  // namespace millrace::mqtt
