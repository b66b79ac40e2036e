// PosixFile: one file descriptor behind io::File. Made by PosixFileSystem.
#pragma once

#include <string>

#include "io/file_system.h"

namespace millrace::io {

class PosixFile final : public File {
 public:
  /// Owns `descriptor`; `path` is for messages. `blocks`: of OpenMode::blocks.
  PosixFile(int descriptor, std::string path, bool blocks)
      : descriptor_(descriptor), blocks_(blocks), path_(std::move(path)) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override;

  using File::write_at;
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView into) override;
  Result<void> write_at(std::uint64_t offset, std::span<const ByteView> pieces) override;
  Result<void> write_blocks(std::uint64_t offset, ByteView blocks) override;
  Result<void> sync_data() override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> reserve(std::uint64_t offset, std::uint64_t length) override;
  void start_writeback(std::uint64_t offset, std::uint64_t length) override;
  Result<std::uint64_t> size() override;
  [[nodiscard]] int descriptor() const override { return blocks_ ? -1 : descriptor_; }

 private:
  enum class Direct : std::uint8_t { untried, open, refused };
  [[nodiscard]] bool open_direct();
  Result<ByteView> write_direct(int descriptor, std::uint64_t offset, ByteView blocks);

  int descriptor_;
  bool blocks_;                 // descriptor_ itself is past the page cache, where the file system can
  int direct_descriptor_ = -1;  // the same file with O_DIRECT, which reads through descriptor_ could not have
  Direct direct_ = Direct::untried;
  std::string path_;
};

}  // namespace millrace::io
