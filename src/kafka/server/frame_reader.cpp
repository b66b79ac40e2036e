#include "kafka/server/frame_reader.h"

#include <algorithm>

#include "base/endian.h"

namespace millrace::kafka {

Result<std::size_t> FrameReader::take(ByteView bytes, std::size_t max_frame) {
  std::size_t taken = 0;
  if (!started_) {
    if (bytes.size() < 4) return 0;
    const auto size = load_be<std::int32_t>(bytes.data());
    // The shortest request is a header of eight bytes.
    if (size < 8) return fail(ErrorCode::malformed, "Kafka frame size is negative or shorter than a header");
    if (static_cast<std::size_t>(size) > max_frame) {
      return fail(ErrorCode::too_large, "Kafka frame size is over socket.request.max.bytes", std::to_string(size));
    }
    size_ = static_cast<std::size_t>(size);
    started_ = true;
    taken = 4;
    bytes = bytes.subspan(4);
  }
  const ByteView part = bytes.first(std::min(bytes.size(), size_ - frame_.size()));
  const std::size_t have = frame_.size() + part.size();
  if (have > frame_.capacity()) frame_.reserve(std::min(size_, std::max(kFirst, have * kLead)));
  frame_.append(part);
  return taken + part.size();
}

Buffer FrameReader::finish() {
  started_ = false;
  size_ = 0;
  return std::exchange(frame_, Buffer{});
}

}  // namespace millrace::kafka
