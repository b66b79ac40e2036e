#include "storage/partition_directory.h"

#include <fmt/format.h>

#include "storage/durable_file.h"

namespace millrace::storage {
namespace {

// True when it had to be written.
Result<bool> ensure_text(io::FileSystem& files, const std::string& path, std::string_view text, bool again) {
  const auto there = read_whole(files, path, 4096);
  if (!again && there && *there == text) return false;
  MR_TRY_ASSIGN(const auto file, files.open(path, io::OpenMode::create));
  MR_TRY(file->truncate(0));
  MR_TRY(file->write_at(0, as_bytes(text)));
  return true;
}

}  // namespace

std::string partition_metadata(const Uuid& topic_id) {
  return fmt::format("version: 0\ntopic_id: {}", topic_id.to_string());
}

Result<bool> make_partition_directory(io::FileSystem& files, const std::string& directory, const Uuid& topic_id,
                                      bool again) {
  const std::string metadata_path = directory + '/' + std::string(kPartitionMetadata);
  const std::string epochs_path = directory + '/' + std::string(kLeaderEpochs);
  MR_TRY(files.make_directory(directory));
  MR_TRY_ASSIGN(const bool metadata, ensure_text(files, metadata_path, partition_metadata(topic_id), again));
  MR_TRY_ASSIGN(const bool epochs, ensure_text(files, epochs_path, kLeaderEpochsText, again));
  return metadata || epochs;
}

Result<void> sync_partition_directory(io::FileSystem& files, const std::string& directory) {
  for (const std::string_view name : {kPartitionMetadata, kLeaderEpochs}) {
    MR_TRY(sync_if_there(files, directory + '/' + std::string(name)));
  }
  return {};
}

Result<std::string> set_aside(io::FileSystem& files, const std::string& directory) {
  for (int i = 1;; ++i) {
    std::string path = fmt::format("{}.{}{}", directory, i, kDeletedSuffix);
    if (files.exists(path)) continue;
    MR_TRY(files.rename(directory, path));
    return path;
  }
}

}  // namespace millrace::storage
