// Small files that are replaced whole: data/format, data/checkpoint and the text files of a partition directory.
//
// Invariant: after a power cut there is the old content or the new one. Thread: any; one writer per path.
#pragma once

#include <string>
#include <string_view>

#include "io/file_system.h"
#include "storage/seeded_bugs.h"

namespace millrace::storage {

/// Temporary file "<path>.tmp", sync, rename, sync of the directory.
Result<void> replace_durably(io::FileSystem& files, std::string_view path, ByteView bytes, const SeededBugs& bugs);

/// sync_data; every failure is an io_error, for a sync must not be tried again.
Result<void> sync_file(io::File& file);

/// sync_all, as final.
Result<void> sync_everything(io::FileSystem& files);

/// sync_directory, as final as sync_file, unless the seeded bug says to forget it.
Result<void> sync_names(io::FileSystem& files, std::string_view directory, const SeededBugs& bugs);

/// A new file, or all of an old one, without any sync.
Result<void> write_unsynced(io::FileSystem& files, std::string_view path, ByteView bytes);

/// sync_file, unless it is not there any more.
Result<void> sync_if_there(io::FileSystem& files, std::string_view path);

/// The whole file; not_found, too_large over `limit`.
Result<std::string> read_whole(io::FileSystem& files, std::string_view path, std::size_t limit);

/// "a/b/c" -> "a/b", "c" -> "".
[[nodiscard]] std::string_view parent_of(std::string_view path);

inline constexpr std::string_view kTemporarySuffix = ".tmp";

}  // namespace millrace::storage
