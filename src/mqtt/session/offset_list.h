// OffsetList: offsets in ascending order, as differences of one to a few bytes each: which messages of the message
// topic wait for one session. A million of them take one to two megabytes. Thread: one owner.
#pragma once

#include <cstdint>
#include <vector>

#include "base/byte_writer.h"
#include "model/ids.h"

namespace millrace::mqtt {

class OffsetList {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Requires !empty().
  [[nodiscard]] Offset front() const { return Offset(front_); }
  [[nodiscard]] Offset back() const { return Offset(back_); }
  [[nodiscard]] std::size_t memory_bytes() const { return steps_.capacity(); }

  /// Requires `offset` above back(), or an empty list.
  void push_back(Offset offset) {
    if (size_ == 0) {
      front_ = offset.value();
    } else {
      std::uint8_t step[10];
      const std::uint8_t* end = put_uvarint(step, static_cast<std::uint64_t>(offset.value() - back_));
      steps_.insert(steps_.end(), static_cast<const std::uint8_t*>(step), end);
    }
    back_ = offset.value();
    ++size_;
  }
  /// Requires !empty().
  void pop_front() {
    if (--size_ == 0) {
      steps_ = {};
      read_ = 0;
      return;
    }
    std::uint64_t step = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint8_t byte = steps_[read_++];
      step |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) break;
    }
    front_ += static_cast<std::int64_t>(step);
    if (read_ >= kShrink && std::size_t{read_} * 2 >= steps_.size()) {
      steps_.erase(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(read_));
      read_ = 0;
    }
  }

 private:
  static constexpr std::size_t kShrink = 4'096;

  std::vector<std::uint8_t> steps_;  // from each offset to the next; those before read_ are done with
  std::uint32_t read_ = 0;
  std::uint32_t size_ = 0;
  std::int64_t front_ = 0;
  std::int64_t back_ = 0;
};

}  // namespace millrace::mqtt
