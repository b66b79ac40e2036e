// LineFiles: the folder of the file action. One line per output, appended; each line is whole or absent. A few files
// stay open. Thread: any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/buffer.h"
#include "base/result.h"
#include "io/file_system.h"

namespace millrace::actions {

class LineFiles {
 public:
  static constexpr std::size_t kMostOpen = 64;

  /// `folder` may be null: then every append is refused.
  explicit LineFiles(io::FileSystem* folder) : folder_(folder) {}

  /// Error: invalid_argument without a folder; those of the file system.
  Result<void> append(std::string_view name, ByteView line);
  /// What was appended is on disk afterwards.
  Result<void> sync();

 private:
  std::mutex mutex_;  // guards all below; taken alone
  io::FileSystem* folder_;
  std::map<std::string, std::unique_ptr<io::File>, std::less<>> open_;
  std::set<std::string> unsynced_;
  Buffer line_;
};

}  // namespace millrace::actions
