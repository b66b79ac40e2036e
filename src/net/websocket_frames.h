// WebSocketReader: what a client sends over a WebSocket (RFC 6455 section 5), frame by frame, to the bytes inside. A
// server's side: client frames must be masked [5.1], no extension is agreed, so reserved bits must be clear [5.2].
//
// For MQTT: data comes in binary frames only [MQTT-6.0.0-1]; how packets lie in frames means nothing [MQTT-6.0.0-2], so
// what is inside is one stream of bytes and a frame is handed on as its bytes come. Nothing is allocated for a length
// that was claimed. Thread: one owner.
#pragma once

#include <array>
#include <cstdint>

#include "base/buffer.h"
#include "base/bytes.h"

namespace millrace::net {

/// The code of a Close frame (section 7.4.1).
enum class WebSocketClose : std::uint16_t { normal = 1000, protocol_error = 1002, unsupported_data = 1003 };

class WebSocketReader {
 public:
  enum class Event : std::uint8_t { more, closed, failed };

  /// Takes all of `bytes`: data is appended, unmasked, to `data`; what has to be answered (Pong, Close), as whole
  /// frames, to `answer`. After `closed` (the client's Close, answered) and `failed` (a Close with the reason is in
  /// `answer`) nothing more must be read.
  Event read(ByteView bytes, Buffer& data, Buffer& answer);
  /// Names the rule that was broken. After `failed`.
  [[nodiscard]] const char* why() const { return why_; }

 private:
  static constexpr std::size_t kLongestHead = 14;
  static constexpr std::size_t kLongestControl = 125;

  enum class Head : std::uint8_t { incomplete, complete, wrong };
  Head take_head(ByteView& bytes);
  Event end_control(Buffer& answer);
  Event fail(Buffer& answer, WebSocketClose code, const char* why);

  std::array<std::uint8_t, kLongestHead> head_{};
  std::size_t head_size_ = 0;
  std::array<std::uint8_t, kLongestControl> control_{};
  std::size_t control_size_ = 0;
  std::uint64_t left_ = 0;  // of this frame's payload
  std::array<std::uint8_t, 4> mask_{};
  std::uint8_t mask_at_ = 0;
  std::uint8_t opcode_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;  // a fragmented message goes on
  WebSocketClose wrong_code_ = WebSocketClose::protocol_error;
  const char* why_ = "";
};

/// Appends the head of an unmasked, final binary frame of `size` bytes.
void put_binary_head(Buffer& out, std::size_t size);
/// Appends a whole Close frame.
void put_close(Buffer& out, WebSocketClose code);

}  // namespace millrace::net
