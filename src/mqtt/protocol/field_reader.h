// FieldReader: takes the fields of MQTT 5.0 section 1.5 off the front of a packet's bytes.
//
// Errors stick: after the first one every read gives zero or an empty view, so a decoder reads a whole structure and
// asks once. Bounds come from the bytes that are there, never from a length that was claimed. Thread: one owner.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/byte_reader.h"
#include "mqtt/protocol/reason_code.h"
#include "mqtt/protocol/text.h"

namespace millrace::mqtt::protocol {

inline constexpr std::size_t kMaxTextSize = 65'535;       // 1.5.4
inline constexpr std::uint32_t kMaxVarint = 268'435'455;  // 1.5.5

class FieldReader {
 public:
  /// For bytes that were validated before: strings are not checked again.
  struct Trusted {};

  explicit FieldReader(ByteView bytes) : in_(bytes) {}
  FieldReader(ByteView bytes, Trusted) : in_(bytes), trusted_(true) {}

  [[nodiscard]] bool ok() const { return why_ == nullptr && in_.ok(); }
  /// Requires !ok().
  [[nodiscard]] Refusal refusal() const {
    return why_ != nullptr ? Refusal{ReasonCode::malformed_packet, why_}
                           : Refusal{ReasonCode::malformed_packet, "packet ends within a field"};
  }
  [[nodiscard]] std::size_t remaining() const { return in_.remaining(); }

  std::uint8_t u8() { return in_.u8(); }
  std::uint16_t u16() { return in_.be<std::uint16_t>(); }
  std::uint32_t u32() { return in_.be<std::uint32_t>(); }

  /// Variable byte integer: at most four bytes, in the shortest form [MQTT-1.5.5-1].
  std::uint32_t varint() {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const std::uint8_t byte = in_.u8();
      if (!in_.ok()) return 0;
      value |= static_cast<std::uint32_t>(byte & 0x7FU) << (7 * i);
      if ((byte & 0x80U) == 0) {
        if (byte == 0 && i != 0) fail("variable byte integer not in its shortest form [MQTT-1.5.5-1]");
        return value;
      }
    }
    fail("variable byte integer longer than four bytes (1.5.5)");
    return 0;
  }
  /// Binary data (1.5.6).
  ByteView binary() { return in_.bytes(in_.be<std::uint16_t>()); }
  /// UTF-8 encoded string [MQTT-1.5.4-1].
  std::string_view text() {
    const std::string_view text = as_text(binary());
    if (!trusted_ && !is_utf8_string(text)) fail("not a UTF-8 string [MQTT-1.5.4-1]");
    return text;
  }
  ByteView bytes(std::size_t count) { return in_.bytes(count); }
  ByteView rest() { return in_.bytes(in_.remaining()); }

  void fail(const char* why) {
    if (why_ == nullptr) why_ = why;
    in_.fail();
  }

 private:
  ByteReader in_;
  const char* why_ = nullptr;
  bool trusted_ = false;
};

}  // namespace millrace::mqtt::protocol
