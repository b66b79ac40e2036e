#include "storage/durable_file.h"

namespace millrace::storage {

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

namespace {

Result<void> final_error(Result<void> synced) {
  if (!synced) synced.error().code = ErrorCode::io_error;
  return synced;
}

}  // namespace

Result<void> sync_file(io::File& file) {
  return final_error(file.sync_data());
}

Result<void> sync_everything(io::FileSystem& files) {
  return final_error(files.sync_all());
}

Result<void> sync_names(io::FileSystem& files, std::string_view directory, const SeededBugs& bugs) {
  if (bugs.skip_directory_sync) return {};
  return final_error(files.sync_directory(directory));
}

Result<void> replace_durably(io::FileSystem& files, std::string_view path, ByteView bytes, const SeededBugs& bugs) {
  const std::string temporary = std::string(path) + std::string(kTemporarySuffix);
  {
    MR_TRY_ASSIGN(const auto file, files.open(temporary, io::OpenMode::create));
    MR_TRY(file->truncate(0));
    MR_TRY(file->write_at(0, bytes));
    MR_TRY(sync_file(*file));
  }
  MR_TRY(files.rename(temporary, path));
  return sync_names(files, parent_of(path), bugs);
}

Result<void> write_unsynced(io::FileSystem& files, std::string_view path, ByteView bytes) {
  MR_TRY_ASSIGN(const auto file, files.open(path, io::OpenMode::create));
  // What an earlier attempt left. Not of a new file: ext4 writes one that was cut to nothing out as it is closed.
  MR_TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size > 0) MR_TRY(file->truncate(0));
  return file->write_at(0, bytes);
}

Result<void> sync_if_there(io::FileSystem& files, std::string_view path) {
  const auto file = files.open(path, io::OpenMode::read_write);
  if (!file && file.error().code == ErrorCode::not_found) return {};
  if (!file) return std::unexpected(file.error());
  return sync_file(**file);
}

Result<std::string> read_whole(io::FileSystem& files, std::string_view path, std::size_t limit) {
  MR_TRY_ASSIGN(const auto file, files.open(path, io::OpenMode::read_only));
  MR_TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size > limit) return fail(ErrorCode::too_large, "file is larger than it can be", files.describe(path));
  std::string bytes(size, '\0');
  MR_TRY_ASSIGN(const std::size_t got, file->read_at(0, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
  bytes.resize(got);
  return bytes;
}

}  // namespace millrace::storage
