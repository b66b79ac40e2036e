// The only door to the disk. PosixFileSystem is the real one, FaultInjectingFileSystem fails the Nth operation on
// purpose, and the simulator's SimDisk forgets what was not synced.
//
// Paths are relative to the root of the file system, with '/' between parts. All calls block. Errors: not_found,
// already_exists, disk_full (ENOSPC, EDQUOT), locked, io_error (everything else; detail holds path and errno text).
// A failed sync is final: the caller must not retry it (the kernel may have dropped the pages); it is an io_error even
// when the kernel said ENOSPC. A path that is absolute or has ".", ".." or empty parts is invalid_argument.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::io {

/// Unit of write_blocks: offset, length and address are multiples of it.
inline constexpr std::size_t kBlockSize = 4096;

/// One open file. Thread: one caller at a time for writing; read_at may run beside it. Closes on destruction, without a
/// sync.
class File {
 public:
  virtual ~File() = default;
  /// Fills `into` from `offset`; returns how many bytes there were (less only at the end of the file).
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableByteView into) = 0;
  /// Writes all pieces one behind the other from `offset`, extending the file as needed. After an error any part may be
  /// written.
  virtual Result<void> write_at(std::uint64_t offset, std::span<const ByteView> pieces) = 0;
  Result<void> write_at(std::uint64_t offset, ByteView bytes) { return write_at(offset, std::span(&bytes, 1)); }
  /// Writes whole blocks, past the kernel's page cache where the file system can (O_DIRECT): no pages are left to be
  /// written back, so a sync of another file does not wait for them. As durable as write_at: not before sync_data().
  virtual Result<void> write_blocks(std::uint64_t offset, ByteView blocks) { return write_at(offset, blocks); }
  /// fdatasync: what was written before this call, and a size that grew, survive a power cut once it returns.
  virtual Result<void> sync_data() = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  /// Reserves blocks without changing the size (FALLOC_FL_KEEP_SIZE). disk_full when there is no room; a file system
  /// that cannot reserve succeeds without effect.
  virtual Result<void> reserve(std::uint64_t offset, std::uint64_t length) = 0;
  /// Asks the kernel to start writing the range back (length 0: to the end) and returns at once. Promises nothing.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t length) = 0;
  virtual Result<std::uint64_t> size() = 0;
  /// File descriptor for sendfile, or -1 where there is none.
  [[nodiscard]] virtual int descriptor() const { return -1; }
};

enum class OpenMode : std::uint8_t {
  read_only,   // must exist
  read_write,  // must exist
  create,      // made or opened, read and write
  create_new,  // must not exist
  blocks,      // must exist; for write_blocks, reserve, truncate and sync_data alone, with one descriptor
};

/// A write_blocks() of several that may be under way together.
struct BlockWrite {
  File* file = nullptr;
  std::uint64_t offset = 0;
  ByteView blocks;
  Result<void> done{};  // its outcome
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) = 0;
  /// write_blocks() of several files, each but once, in any order and as many at a time as the file system likes;
  /// returns when all are done.
  virtual void write_blocks_of(std::span<BlockWrite> writes);
  /// Replaces `to` when it exists. Durable only after sync_directory of both parents.
  virtual Result<void> rename(std::string_view from, std::string_view to) = 0;
  virtual Result<void> remove_file(std::string_view path) = 0;
  /// With everything in it; not_found when it is not there.
  virtual Result<void> remove_tree(std::string_view path) = 0;
  /// Makes missing parents too; fine when it exists.
  virtual Result<void> make_directory(std::string_view path) = 0;
  /// Makes names created, renamed or removed in this directory durable. "" is the root.
  virtual Result<void> sync_directory(std::string_view path) = 0;
  /// Everything written and every name changed below the root before this call survives a power cut once it returns,
  /// whether or not the file that wrote it is still open (syncfs). One call for thousands of files; it also waits for
  /// what others wrote to the same volume. As final as sync_data().
  virtual Result<void> sync_all() = 0;
  /// Names in the directory, sorted, without "." and "..".
  virtual Result<std::vector<std::string>> list(std::string_view path) = 0;
  [[nodiscard]] virtual bool exists(std::string_view path) = 0;
  /// Size of a file, without keeping it open.
  virtual Result<std::uint64_t> file_size(std::string_view path);
  /// Holds an exclusive lock on `path` (created if missing) until the returned object dies. `locked` when another
  /// process has it.
  virtual Result<std::unique_ptr<File>> lock(std::string_view path) = 0;
  /// Bytes a file could still grow.
  virtual Result<std::uint64_t> free_bytes() = 0;
  /// Size of the volume. Error: not_found where there is none.
  virtual Result<std::uint64_t> total_bytes() { return fail(ErrorCode::not_found, "no volume"); }
  /// Where this is, for messages.
  [[nodiscard]] virtual std::string describe(std::string_view path) const { return std::string(path); }
};

/// Writes `bytes` under `path` so that after a power cut there is the old content or the new one: temporary file, sync,
/// rename, directory sync.
Result<void> replace_file(FileSystem& files, std::string_view path, ByteView bytes);
/// The whole file; too_large over `limit`.
Result<std::string> read_file(FileSystem& files, std::string_view path, std::size_t limit);

}  // namespace millrace::io
