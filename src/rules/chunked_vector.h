// ChunkedVector: a vector whose copies share what they have in common, so that a copy with one element changed costs a
// chunk and not the whole. Thread: one owner changes; copies that are never changed may be read by any.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace millrace::rules {

template <class T>
class ChunkedVector {
 public:
  static constexpr std::size_t kChunk = 256;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const T& operator[](std::size_t index) const { return (*chunks_[index / kChunk])[index % kChunk]; }
  void set(std::size_t index, T value) { own(index / kChunk)[index % kChunk] = std::move(value); }
  void push_back(T value) {
    if (size_ % kChunk == 0) chunks_.push_back(std::make_shared<Chunk>());
    set(size_, std::move(value));
    ++size_;
  }

 private:
  using Chunk = std::array<T, kChunk>;
  /// The chunk, no longer shared with any copy.
  Chunk& own(std::size_t index) {
    std::shared_ptr<Chunk>& chunk = chunks_[index];
    if (chunk.use_count() != 1) chunk = std::make_shared<Chunk>(*chunk);
    return *chunk;
  }

  std::vector<std::shared_ptr<Chunk>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace millrace::rules
