// Arena: memory of one message. Allocation moves a pointer; reset() takes everything back at once and keeps the chunks,
// so a steady stream of messages allocates nothing from the heap.
//
// Thread: one owner. Nothing placed here is ever destroyed: trivially destructible types only.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace millrace::sql {

class Arena {
 public:
  static constexpr std::size_t kChunk = std::size_t{64} << 10U;
  explicit Arena(std::size_t chunk = kChunk) : chunk_(chunk) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Chunks beyond this many bytes are given back to the heap at reset().
  static constexpr std::size_t kKeep = std::size_t{1} << 20U;

  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) {
    const std::size_t at = (used_ + alignment - 1) & ~(alignment - 1);
    if (at + bytes <= size_) [[likely]] {
      used_ = at + bytes;
      return base_ + at;
    }
    return allocate_slow(bytes);
  }
  template <class T>
  [[nodiscard]] T* array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }
  [[nodiscard]] char* text(std::size_t bytes) { return static_cast<char*>(allocate(bytes, 1)); }
  [[nodiscard]] std::string_view copy(std::string_view text_in) {
    if (text_in.empty()) return {};
    char* to = text(text_in.size());
    std::memcpy(to, text_in.data(), text_in.size());
    return {to, text_in.size()};
  }
  /// Gives back what follows `end` when `begin` to `limit` was the last allocation.
  void give_back(const char* end, const char* limit) {
    if (limit == base_ + used_) used_ -= static_cast<std::size_t>(limit - end);
  }
  void reset();

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  void* allocate_slow(std::size_t bytes);
  void use(std::size_t index);

  std::size_t chunk_;
  char* base_ = nullptr;
  std::size_t used_ = 0;
  std::size_t size_ = 0;
  std::size_t current_ = 0;
  std::vector<Chunk> chunks_;
};

}  // namespace millrace::sql
