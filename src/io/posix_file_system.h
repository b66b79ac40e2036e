// PosixFileSystem: the real disk, below one root directory.
//
// Every path is taken relative to the root; absolute paths and ".." are refused. Writes loop over short writes and
// EINTR; a sync is issued once and its error is final (ATC'20 "Can Applications Recover from fsync Failures?": the
// kernel marks the pages clean). Locks are Linux open-file-description locks: they end with the File, also by kill -9,
// and hold between two File objects of one process too. Thread: any for the file system, see io::File for a file.
#pragma once

#include "io/file_system.h"
#include "io/write_threads.h"

namespace millrace::io {

class PosixFileSystem final : public FileSystem {
 public:
  /// Makes `root` (with its parents, mode 0750) when it is missing. Errors: io_error, disk_full.
  /// The root stays open: sync_all() then reports what failed to be written back since (Linux 5.8).
  static Result<std::unique_ptr<PosixFileSystem>> open(std::string root);

  PosixFileSystem(const PosixFileSystem&) = delete;
  PosixFileSystem& operator=(const PosixFileSystem&) = delete;
  ~PosixFileSystem() override;

  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  void write_blocks_of(std::span<BlockWrite> writes) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove_file(std::string_view path) override;
  Result<void> remove_tree(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;
  Result<void> sync_all() override;
  Result<std::vector<std::string>> list(std::string_view path) override;
  [[nodiscard]] bool exists(std::string_view path) override;
  Result<std::uint64_t> file_size(std::string_view path) override;
  Result<std::unique_ptr<File>> lock(std::string_view path) override;
  Result<std::uint64_t> free_bytes() override;
  Result<std::uint64_t> total_bytes() override;
  [[nodiscard]] std::string describe(std::string_view path) const override;

 private:
  PosixFileSystem(std::string root, int descriptor) : root_(std::move(root)), root_descriptor_(descriptor) {}
  [[nodiscard]] Result<std::string> resolve(std::string_view path) const;

  std::string root_;
  int root_descriptor_;
  WriteThreads writers_;
};

}  // namespace millrace::io
