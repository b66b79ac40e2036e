// FrameReader: gathers one request frame (int32 size, then that many bytes) from a byte stream into a buffer of its
// own, so that the batches in it can be shared with the log without another copy.
//
// Invariant: memory follows the bytes that came, not the size they claim: the buffer has at most kLead times what has
// arrived (and no less than kFirst, no more than the frame).
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/result.h"

namespace millrace::kafka {

class FrameReader {
 public:
  static constexpr std::size_t kFirst = 512;
  static constexpr std::size_t kLead = 4;

  /// Takes bytes up to the end of the current frame; returns how many. A size that is not all there is left in the
  /// stream. too_large, malformed: the claimed size.
  Result<std::size_t> take(ByteView bytes, std::size_t max_frame);
  /// The frame is whole: hand it out with finish().
  [[nodiscard]] bool complete() const { return started_ && frame_.size() == size_; }
  [[nodiscard]] Buffer finish();
  /// Memory held for an unfinished frame.
  [[nodiscard]] std::size_t capacity() const { return frame_.capacity(); }

 private:
  Buffer frame_;
  std::size_t size_ = 0;
  bool started_ = false;
};

}  // namespace millrace::kafka
