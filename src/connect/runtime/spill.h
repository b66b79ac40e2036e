// SpillFolder: disk for bytes that sinks keep and that the memory of all sinks has no room for (S3 objects being
// filled). They are a copy of what the log has, so nothing is synced, and nothing is left behind: a file loses its name
// as soon as it is open. What is read back is checked.
//
// Thread: SpillFolder any; a SpillFile has one owner.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/result.h"
#include "connect/runtime/memory_budget.h"
#include "io/file_system.h"

namespace millrace::connect {

/// Bytes in a SpillFile.
struct SpillExtent {
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t crc = 0;
};

class SpillFile {
 public:
  SpillFile(std::unique_ptr<io::File> file, MemoryBudget& room) : file_(std::move(file)), room_(room) {}
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  /// Errors: disk_full (the disk, or the folder's limit), io_error. Then nothing is kept of `bytes`.
  Result<SpillExtent> write(ByteView bytes);
  /// Appends the extent's bytes to `into`, which is as before after an error. Errors: io_error; corrupt.
  Result<void> read(const SpillExtent& extent, Buffer& into);
  /// The extent is not needed any more; its place is used again.
  void release(const SpillExtent& extent);
  [[nodiscard]] std::uint64_t size() const { return end_; }

 private:
  /// A free place of `size` bytes.
  std::optional<std::uint64_t> reuse(std::uint64_t size);
  void free(std::uint64_t offset, std::uint64_t size);

  std::unique_ptr<io::File> file_;
  MemoryBudget& room_;
  std::uint64_t end_ = 0;
  std::map<std::uint64_t, std::uint64_t> free_;  // size by offset; no two touch
};

class SpillFolder {
 public:
  /// `files` outlives it. The folder is made when the first file is. `limit`: bytes of all files together.
  SpillFolder(io::FileSystem& files, std::string path, std::int64_t limit)
      : files_(files), path_(std::move(path)), room_(limit) {}

  /// Outlived by the folder. Errors: disk_full (the limit is 0 or reached), those of the file system.
  Result<std::unique_ptr<SpillFile>> make_file();
  [[nodiscard]] std::int64_t used() const { return room_.used(); }
  /// Gives memory that was freed by spilling back to the system: thousands of buffers of a few KiB lie between others,
  /// and the process would stay as large as it was. It is the whole process's and holds up whoever allocates for
  /// milliseconds, so it does nothing where any sink has called it in the last second.
  void give_back_memory(MonoTime now);

 private:
  io::FileSystem& files_;
  const std::string path_;
  MemoryBudget room_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<MonoTime> give_back_from_{MonoTime(0)};
};

}  // namespace millrace::connect
