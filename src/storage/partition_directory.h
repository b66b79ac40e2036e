// A partition's directory as Apache Kafka lays it out, without the segments: partition.metadata and
// leader-epoch-checkpoint. Both can be written again from the checkpoint. Thread: the segment writer.
#pragma once

#include <string>

#include "io/file_system.h"
#include "model/ids.h"

namespace millrace::storage {

inline constexpr std::string_view kPartitionMetadata = "partition.metadata";
inline constexpr std::string_view kLeaderEpochs = "leader-epoch-checkpoint";
inline constexpr std::string_view kDeletedSuffix = ".deleted";

[[nodiscard]] std::string partition_metadata(const Uuid& topic_id);
/// One node leads from offset 0 on, for ever.
inline constexpr std::string_view kLeaderEpochsText = "0\n1\n0 0\n";

/// Makes the directory and both files, or mends them; not synced. True when something was written. With `again` both
/// are written even if they read right: after a failed sync the kernel shows what the device never got.
Result<bool> make_partition_directory(io::FileSystem& files, const std::string& directory, const Uuid& topic_id,
                                      bool again = false);
/// Syncs both files. The directory itself is the caller's.
Result<void> sync_partition_directory(io::FileSystem& files, const std::string& directory);
/// Renames the directory to a free name ending in ".deleted" and returns that.
Result<std::string> set_aside(io::FileSystem& files, const std::string& directory);

}  // namespace millrace::storage
