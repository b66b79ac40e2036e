// KeptBytes: bytes in the order they came; the older ones on disk where memory was short. Thread: the task's.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "connect/runtime/spill.h"

namespace millrace::connect::s3 {

class KeptBytes {
 public:
  KeptBytes() = default;
  ~KeptBytes() { release(); }
  KeptBytes(const KeptBytes&) = delete;
  KeptBytes& operator=(const KeptBytes&) = delete;

  [[nodiscard]] std::size_t size() const { return on_disk_ + memory_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// What is added goes here. It is all of them behind gather().
  [[nodiscard]] Buffer& memory() { return memory_; }
  /// Bytes of memory, also those that a buffer which grew does not use yet.
  [[nodiscard]] std::size_t reserved_bytes() const {
    return memory_.capacity() + extents_.capacity() * sizeof(SpillExtent);
  }
  /// Moves what is in memory to `file`, always the same one, which outlives this. After an error nothing has changed.
  Result<void> spill(SpillFile& file);
  /// Brings everything into memory again. After an error nothing has changed.
  Result<void> gather();
  /// Forgets everything and gives the memory back.
  void reset();

 private:
  void release();

  Buffer memory_;
  SpillFile* file_ = nullptr;
  std::vector<SpillExtent> extents_;
  std::size_t on_disk_ = 0;
};

}  // namespace millrace::connect::s3
