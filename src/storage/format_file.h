// data/format: what kind of directory this is (docs/formats/format-file.md). Six lines of text, so that a person sees
// it too:
//
//   millrace data directory
//   version 1
//   features -
//   cluster 1QxV0mL2T4yTfE0m9wq2Zg
//   salt 9f3ac1d2e4b5a697
//   crc32c 5a1b2c3d          over the lines above
//
// Invariant: written once, last of all when a directory is made; a directory without it is not ours. Thread: open()
// only.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "io/file_system.h"
#include "model/ids.h"
#include "storage/seeded_bugs.h"

namespace millrace::storage {

struct DirectoryFormat {
  Uuid cluster_id;
  std::uint64_t salt = 0;  // in every journal group; never leaves the directory
};

inline constexpr std::string_view kFormatPath = "format";
inline constexpr int kDirectoryVersion = 1;

[[nodiscard]] std::string encode_format(const DirectoryFormat& format);
/// corrupt (checksum, grammar), unsupported_version (a newer version or a feature this build does not know, with what
/// to do).
Result<DirectoryFormat> parse_format(std::string_view text);

/// Errors of parse_format; not_found when there is none.
Result<DirectoryFormat> load_format(io::FileSystem& files);
Result<void> store_format(io::FileSystem& files, const DirectoryFormat& format, const SeededBugs& bugs);

}  // namespace millrace::storage
