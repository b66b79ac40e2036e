// SimInode: a file or directory of the simulated disk, twice: as running processes see it, and as the platter has it,
// with the operations in between.
//
// A file's pending operations are writes and size changes. What a power cut leaves of them is decided per 512-byte
// sector: a sector holds what it held after some number of the pending writes to it, sectors are independent of each
// other, and sizes changed in order (a journalling file system's metadata), so a file may end in zeros that nobody
// wrote. Thread: the simulation's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/rng.h"

namespace millrace::sim {

inline constexpr std::uint64_t kSectorBytes = 512;

struct SimInode {
  struct Change {
    bool resize = false;
    std::uint64_t offset = 0;  // of a write; the new size of a resize
    std::vector<std::uint8_t> bytes;
    [[nodiscard]] std::uint64_t end() const { return offset + bytes.size(); }
  };

  bool directory = false;

  // A file.
  std::vector<std::uint8_t> content;
  std::vector<std::uint8_t> durable;
  std::vector<Change> pending;
  std::uint64_t failures = 0;  // writes to the platter that failed so far
  std::uint64_t reserved = 0;
  std::uint64_t charged = 0;  // bytes counted against the disk's capacity
  int handles = 0;
  bool linked = false;
  bool locked = false;

  // A directory.
  std::map<std::string, std::shared_ptr<SimInode>> entries;
  std::map<std::string, std::shared_ptr<SimInode>> durable_entries;

  void write(std::uint64_t offset, ByteView bytes);
  void resize(std::uint64_t size);
  /// Everything pending reaches the platter.
  void sync();
  /// A random part of what is pending reaches the platter; the rest is gone from there. `content` stays as it is.
  void settle_by_chance(Rng& rng);
  /// A sync that failed: a random part of the written bytes reached the platter, the rest counts as clean and is lost.
  /// The size stays pending: it is the file system's own metadata. When `evicted`, the platter's bytes are what is read
  /// from now on.
  void fail_sync(Rng& rng, bool evicted);
};

}  // namespace millrace::sim
