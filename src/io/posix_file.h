// PosixFile: one file descriptor behind io::File. Made by PosixFileSystem.
#pragma once

#include <string>

#include "io/file_system.h"

namespace millrace::io {

class PosixFile final : public File {
 public:
  /// Owns `descriptor`; `path` is for messages.
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
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
  [[nodiscard]] int descriptor() const override { return descriptor_; }

 private:
  enum class Direct : std::uint8_t { untried, open, refused };
  [[nodiscard]] bool open_direct();

  int descriptor_;
  int direct_descriptor_ = -1;  // the same file with O_DIRECT, which reads through descriptor_ could not have
  Direct direct_ = Direct::untried;
  std::string path_;
};

}  // namespace millrace::io
