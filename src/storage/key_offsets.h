// KeyOffsets: the newest offset of every key seen, for compaction, in bounded memory.
//
// Exact: the keys themselves are kept, so two keys whose hashes are equal stay two keys. What does not fit is refused
// and the caller compacts up to there; the rest is left to the next round. Thread: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "model/ids.h"

namespace millrace::storage {

class KeyOffsets {
 public:
  /// At most about `budget_bytes` of memory. `seed` is secret, so that nobody can choose keys that meet in one place.
  KeyOffsets(std::size_t budget_bytes, std::uint64_t seed) : budget_(budget_bytes), seed_(seed) {}

  /// Remembers `offset` for the key. False when the key is new and there is no room; the first key always has.
  [[nodiscard]] bool put(ByteView key, Offset offset);
  [[nodiscard]] std::optional<Offset> find(ByteView key) const;

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t memory_bytes() const { return slots_.capacity() * sizeof(Slot) + keys_.capacity(); }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t place = 0;  // of the key in keys_, plus 1; 0: free
    std::int64_t offset = 0;
  };
  [[nodiscard]] std::uint32_t hash_of(ByteView key) const;
  /// Where the key is, or where it would go.
  [[nodiscard]] std::size_t slot_of(std::uint32_t hash, ByteView key) const;
  [[nodiscard]] ByteView key_at(const Slot& slot) const;
  [[nodiscard]] bool make_room(std::size_t key_bytes);

  std::size_t budget_;
  std::uint64_t seed_;
  std::vector<Slot> slots_;  // a power of two of them, at most three quarters in use
  Buffer keys_;              // length u32, then the key
  std::size_t count_ = 0;
};

}  // namespace millrace::storage
