#include "io/file_system.h"

#include "io/path.h"

namespace millrace::io {

Result<std::uint64_t> FileSystem::file_size(std::string_view path) {
  MR_TRY_ASSIGN(const std::unique_ptr<File> file, open(path, OpenMode::read_only));
  return file->size();
}

void FileSystem::write_blocks_of(std::span<BlockWrite> writes) {
  for (BlockWrite& write : writes) write.done = write.file->write_blocks(write.offset, write.blocks);
}

Result<void> replace_file(FileSystem& files, std::string_view path, ByteView bytes) {
  const std::string temporary = std::string(path) + ".tmp";
  {
    MR_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(temporary, OpenMode::create));
    MR_TRY(file->truncate(0));  // a crash may have left an older attempt
    MR_TRY(file->write_at(0, bytes));
    MR_TRY(file->sync_data());
  }
  MR_TRY(files.rename(temporary, path));
  return files.sync_directory(parent_path(path));
}

Result<std::string> read_file(FileSystem& files, std::string_view path, std::size_t limit) {
  MR_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::read_only));
  MR_TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size > limit) return fail(ErrorCode::too_large, "read file", files.describe(path));
  std::string text(static_cast<std::size_t>(size), '\0');
  MR_TRY_ASSIGN(const std::size_t got,
                file->read_at(0, MutableByteView(reinterpret_cast<std::uint8_t*>(text.data()), text.size())));
  text.resize(got);
  return text;
}

}  // namespace millrace::io
