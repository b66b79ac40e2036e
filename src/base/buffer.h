// Buffer: a growable run of bytes that never zeroes what it is about to overwrite.
// SharedBytes: a reference-counted slice of a finished Buffer; copying it copies a pointer.
//
// Thread: a Buffer has one owner. A SharedBytes may be read from any thread; `mutable_data` is for the single owner
// that is still allowed to patch (the log thread, before the bytes are published).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "base/bytes.h"

namespace millrace {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t capacity) { reserve(capacity); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      std::free(data_);
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
      capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
  }
  ~Buffer() { std::free(data_); }

  [[nodiscard]] std::uint8_t* data() { return data_; }
  [[nodiscard]] const std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] ByteView view() const { return {data_, size_}; }
  [[nodiscard]] ByteView view(std::size_t from, std::size_t count) const { return {data_ + from, count}; }
  void clear() { size_ = 0; }

  /// Makes room for at least `capacity` bytes in all; contents stay. Throws std::bad_alloc.
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    auto* grown = static_cast<std::uint8_t*>(std::realloc(data_, capacity));
    if (grown == nullptr) throw std::bad_alloc();
    data_ = grown;
    capacity_ = capacity;
  }

  /// Room for `count` more bytes at the returned address; call `commit` with how many were written.
  [[nodiscard]] std::uint8_t* prepare(std::size_t count) {
    if (capacity_ - size_ < count) [[unlikely]]
      grow(count);
    return data_ + size_;
  }
  void commit(std::size_t count) { size_ += count; }

  void append(ByteView bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void append(std::string_view text) { append(as_bytes(text)); }
  void push_back(std::uint8_t byte) {
    *prepare(1) = byte;
    ++size_;
  }
  /// Grows with uninitialised bytes, or shrinks.
  void resize(std::size_t size) {
    if (size > capacity_) grow(size - size_);
    size_ = size;
  }
  /// Removes the first `count` bytes.
  void consume(std::size_t count) {
    size_ -= count;
    if (size_ != 0) std::memmove(data_, data_ + count, size_);
  }

 private:
  void grow(std::size_t count) {
    const std::size_t need = size_ + count;
    reserve(need > capacity_ * 2 ? need : capacity_ * 2);
  }

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(Buffer buffer)
      : owner_(std::make_shared<Buffer>(std::move(buffer))), data_(owner_->data()), size_(owner_->size()) {}
  static SharedBytes copy_of(ByteView bytes) {
    Buffer buffer(bytes.size());
    buffer.append(bytes);
    return SharedBytes(std::move(buffer));
  }

  [[nodiscard]] const std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] ByteView view() const { return {data_, size_}; }
  /// A part of this slice; shares the owner.
  [[nodiscard]] SharedBytes slice(std::size_t from, std::size_t count) const {
    SharedBytes part;
    part.owner_ = owner_;
    part.data_ = data_ + from;
    part.size_ = count;
    return part;
  }
  /// Only for the one owner that may still patch; never after the bytes were published to another thread.
  [[nodiscard]] std::uint8_t* mutable_data() { return data_; }

 private:
  std::shared_ptr<Buffer> owner_;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millrace
