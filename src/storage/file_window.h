// FileWindow: reads a file front to back (or in jumps) through one buffer, so that walking small structures costs few
// reads. Thread: one owner. Views are valid until the next call.
#pragma once

#include <algorithm>

#include "base/buffer.h"
#include "io/file_system.h"

namespace millrace::storage {

class FileWindow {
 public:
  /// Never looks at or past `end`.
  FileWindow(io::File& file, std::uint64_t end, std::size_t read_ahead = 64_KiB)
      : file_(file), end_(end), read_ahead_(read_ahead) {}

  [[nodiscard]] std::uint64_t end() const { return end_; }

  /// `count` bytes from `position`; fewer only when the file or `end` comes first.
  Result<ByteView> at(std::uint64_t position, std::size_t count) {
    if (position >= end_) return ByteView{};
    count = static_cast<std::size_t>(std::min<std::uint64_t>(count, end_ - position));
    if (position < start_ || position + count > start_ + buffer_.size()) {
      const std::size_t wanted =
          std::max(count, static_cast<std::size_t>(std::min<std::uint64_t>(read_ahead_, end_ - position)));
      buffer_.resize(wanted);
      auto got = file_.read_at(position, {buffer_.data(), wanted});
      if (!got) {
        buffer_.clear();
        return std::unexpected(got.error());
      }
      buffer_.resize(*got);
      start_ = position;
    }
    const auto skip = static_cast<std::size_t>(position - start_);
    return buffer_.view(skip, std::min(count, buffer_.size() - skip));
  }

 private:
  io::File& file_;
  std::uint64_t end_;
  std::size_t read_ahead_;
  Buffer buffer_;
  std::uint64_t start_ = 0;
};

}  // namespace millrace::storage
