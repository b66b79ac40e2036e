// BlockBuffer: memory for File::write_blocks: begins at a block's boundary and keeps what it has when it is refilled.
//
// Thread: one owner. Limit: the owner's; memory is given back with the object only.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "io/file_system.h"

namespace millrace::io {

class BlockBuffer {
 public:
  [[nodiscard]] std::uint8_t* data() { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] ByteView view() const { return {data_.get(), size_}; }
  [[nodiscard]] ByteView view(std::size_t from, std::size_t count) const { return {data_.get() + from, count}; }
  void clear() { size_ = 0; }

  /// Room for `capacity` bytes in all, rounded up to whole blocks. The content goes when it has to move. Throws
  /// std::bad_alloc.
  void clear_for(std::size_t capacity) {
    size_ = 0;
    if (capacity <= capacity_) return;
    const std::size_t rounded = (capacity + kBlockSize - 1) / kBlockSize * kBlockSize;
    data_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kBlockSize, rounded)));
    capacity_ = data_ == nullptr ? 0 : rounded;
    if (data_ == nullptr) throw std::bad_alloc();
  }
  /// Takes as much of `bytes` as there is room for; returns how much.
  std::size_t append(ByteView bytes) {
    const std::size_t count = bytes.size() < capacity_ - size_ ? bytes.size() : capacity_ - size_;
    if (count > 0) std::memcpy(data_.get() + size_, bytes.data(), count);
    size_ += count;
    return count;
  }
  /// `filler` up to the next block's boundary.
  void pad(std::uint8_t filler = 0) {
    const std::size_t end = (size_ + kBlockSize - 1) / kBlockSize * kBlockSize;
    if (end > size_) std::memset(data_.get() + size_, filler, end - size_);
    size_ = end;
  }

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::uint8_t, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace millrace::io
