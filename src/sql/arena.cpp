#include "sql/arena.h"

#include <algorithm>

namespace millrace::sql {

void Arena::use(std::size_t index) {
  current_ = index;
  base_ = chunks_[index].bytes.get();
  size_ = chunks_[index].size;
  used_ = 0;
}

void* Arena::allocate_slow(std::size_t bytes) {
  // operator new[] aligns the front of a chunk for every type.
  std::size_t next = chunks_.empty() ? 0 : current_ + 1;
  while (next < chunks_.size() && chunks_[next].size < bytes) ++next;
  if (next >= chunks_.size()) {
    const std::size_t size = std::max(chunk_, bytes);
    chunks_.push_back(Chunk{std::unique_ptr<char[]>(new char[size]), size});
    next = chunks_.size() - 1;
  }
  use(next);
  used_ = bytes;
  return base_;
}

void Arena::reset() {
  if (chunks_.empty()) return;
  if (current_ != 0) {
    std::size_t kept = 0;
    std::erase_if(chunks_, [&kept](const Chunk& chunk) {
      kept += chunk.size;
      return kept > kKeep;
    });
    if (chunks_.empty()) {
      base_ = nullptr;
      used_ = size_ = current_ = 0;
      return;
    }
  } else if (chunks_[0].size > kKeep) {
    chunks_.clear();
    base_ = nullptr;
    used_ = size_ = current_ = 0;
    return;
  }
  use(0);
}

}  // namespace millrace::sql
