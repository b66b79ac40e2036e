#include "net/websocket_frames.h"

#include <algorithm>
#include <cstring>

#include "base/endian.h"

namespace millrace::net {
namespace {

// Section 5.2.
constexpr std::uint8_t kContinuation = 0x0;
constexpr std::uint8_t kText = 0x1;
constexpr std::uint8_t kBinary = 0x2;
constexpr std::uint8_t kClose = 0x8;
constexpr std::uint8_t kPing = 0x9;
constexpr std::uint8_t kPong = 0xA;
constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kTwoByteSize = 126;
constexpr std::uint8_t kEightByteSize = 127;

void put_control(Buffer& out, std::uint8_t opcode, ByteView payload) {
  out.push_back(kFinal | opcode);
  out.push_back(static_cast<std::uint8_t>(payload.size()));
  out.append(payload);
}

}  // namespace

void put_binary_head(Buffer& out, std::size_t size) {
  out.push_back(kFinal | kBinary);
  if (size < kTwoByteSize) {
    out.push_back(static_cast<std::uint8_t>(size));
  } else if (size <= 0xFFFF) {
    out.push_back(kTwoByteSize);
    store_be(out.prepare(2), static_cast<std::uint16_t>(size));
    out.commit(2);
  } else {
    out.push_back(kEightByteSize);
    store_be(out.prepare(8), static_cast<std::uint64_t>(size));
    out.commit(8);
  }
}

void put_close(Buffer& out, WebSocketClose code) {
  std::uint8_t payload[2];
  store_be(payload, static_cast<std::uint16_t>(code));
  put_control(out, kClose, payload);
}

WebSocketReader::Event WebSocketReader::fail(Buffer& answer, WebSocketClose code, const char* why) {
  why_ = why;
  put_close(answer, code);
  return Event::failed;
}

// Byte by byte until the head is whole; heads are short.
WebSocketReader::Head WebSocketReader::take_head(ByteView& bytes) {
  const auto wrong = [this](const char* why, WebSocketClose code = WebSocketClose::protocol_error) {
    why_ = why;
    wrong_code_ = code;
    return Head::wrong;
  };
  while (!bytes.empty()) {
    head_[head_size_++] = bytes.front();
    bytes = bytes.subspan(1);
    if (head_size_ == 1) {
      opcode_ = head_[0] & 0x0FU;
      const bool control = (opcode_ & 0x8U) != 0;
      if ((head_[0] & kReserved) != 0) return wrong("a reserved bit is set (5.2)");
      if (control) {
        if (opcode_ > kPong) return wrong("an opcode that is reserved (5.2)");
        if ((head_[0] & kFinal) == 0) return wrong("a control frame in fragments (5.5)");
      } else if (opcode_ == kContinuation) {
        if (!in_message_) return wrong("a continuation of nothing (5.4)");
      } else if (opcode_ == kText) {
        return wrong("a text frame [MQTT-6.0.0-1]", WebSocketClose::unsupported_data);
      } else if (opcode_ != kBinary) {
        return wrong("an opcode that is reserved (5.2)");
      } else if (in_message_) {
        return wrong("a new message within a fragmented one (5.4)");
      }
    }
    if (head_size_ < 2) continue;
    const std::uint8_t size = head_[1] & 0x7FU;
    if (head_size_ == 2) {
      if ((head_[1] & kMasked) == 0) return wrong("a frame that is not masked (5.1)");
      if ((opcode_ & 0x8U) != 0 && size > kLongestControl) return wrong("a control frame of more than 125 bytes (5.5)");
    }
    const std::size_t size_bytes = size == kTwoByteSize ? 2 : size == kEightByteSize ? 8 : 0;
    if (head_size_ < 2 + size_bytes + mask_.size()) continue;
    left_ = size;
    if (size_bytes == 2) left_ = load_be<std::uint16_t>(head_.data() + 2);
    if (size_bytes == 8) left_ = load_be<std::uint64_t>(head_.data() + 2);
    if ((left_ >> 63U) != 0 || (size_bytes == 2 && left_ < kTwoByteSize) || (size_bytes == 8 && left_ <= 0xFFFF)) {
      return wrong("a length not in its shortest form (5.2)");
    }
    std::memcpy(mask_.data(), head_.data() + 2 + size_bytes, mask_.size());
    mask_at_ = 0;
    control_size_ = 0;
    if ((opcode_ & 0x8U) == 0) in_message_ = (head_[0] & kFinal) == 0;
    head_size_ = 0;
    return Head::complete;
  }
  return Head::incomplete;
}

WebSocketReader::Event WebSocketReader::end_control(Buffer& answer) {
  const ByteView payload(control_.data(), control_size_);
  if (opcode_ == kPing) put_control(answer, kPong, payload);
  if (opcode_ != kClose) return Event::more;
  if (payload.size() == 1) return fail(answer, WebSocketClose::protocol_error, "a Close frame of one byte (5.5.1)");
  put_control(answer, kClose, payload.first(std::min<std::size_t>(payload.size(), 2)));
  return Event::closed;
}

WebSocketReader::Event WebSocketReader::read(ByteView bytes, Buffer& data, Buffer& answer) {
  for (;;) {
    if (!in_payload_) {
      switch (take_head(bytes)) {
        case Head::incomplete:
          return Event::more;
        case Head::wrong:
          return fail(answer, wrong_code_, why_);
        case Head::complete:
          in_payload_ = true;
      }
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    const bool control = (opcode_ & 0x8U) != 0;
    std::uint8_t* to = control ? control_.data() + control_size_ : data.prepare(count);
    for (std::size_t i = 0; i < count; ++i) {
      to[i] = bytes[i] ^ mask_[mask_at_];
      mask_at_ = (mask_at_ + 1) & 3U;
    }
    if (control) {
      control_size_ += count;
    } else {
      data.commit(count);
    }
    bytes = bytes.subspan(count);
    left_ -= count;
    if (left_ != 0) return Event::more;
    in_payload_ = false;
    if (control) {
      if (const Event event = end_control(answer); event != Event::more) return event;
    }
  }
}

}  // namespace millrace::net
