// Reading the journal after a stop of any kind: which groups have to be replayed, and whether what is missing is a torn
// tail or damage.
//
// Groups carry consecutive numbers over all files, and a group is written only after the one before was synced. So a
// bad group with a good later one of the same life behind it was damaged after it was acknowledged: that is an error,
// never a shorter log. A bad group with nothing behind it was never acknowledged: it is dropped. Nothing is changed
// here. Thread: open() and verify, alone.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "storage/file_window.h"
#include "storage/journal.h"

namespace millrace::storage {

struct JournalGroup {
  GroupHeader header;
  std::vector<JournalEntry> entries;
  ByteView payload;  // valid until the next read of the same JournalFileReader
};

/// Reads groups of one journal file.
class JournalFileReader {
 public:
  static Result<std::unique_ptr<JournalFileReader>> open(io::FileSystem& files, Generation name, std::uint64_t salt);
  /// The group at `offset` with every checksum verified. malformed: there is none, or not a whole one.
  Result<JournalGroup> group(std::uint64_t offset, const SeededBugs& bugs = {});
  /// True when the bytes between the group's content and its end are all zero.
  Result<bool> padding_is_zero(std::uint64_t offset, const GroupHeader& header);
  /// Only header and table verified.
  Result<GroupHeader> header(std::uint64_t offset, const SeededBugs& bugs = {});
  [[nodiscard]] Generation name() const { return name_; }
  [[nodiscard]] std::uint64_t size() const { return window_.end(); }

 private:
  JournalFileReader(std::unique_ptr<io::File> file, Generation name, std::uint64_t salt, std::uint64_t size)
      : file_(std::move(file)), window_(*file_, size, 256_KiB), name_(name), salt_(salt) {}
  std::unique_ptr<io::File> file_;
  FileWindow window_;
  Generation name_;
  std::uint64_t salt_;
};

struct JournalScan {
  struct Place {
    std::size_t file = 0;  // index into `files`
    std::uint64_t offset = 0;
  };
  std::vector<Place> groups;  // to be replayed, in order
  std::vector<std::unique_ptr<JournalFileReader>> files;
  GroupSequence next{1};  // number of the first group that is not there
  std::uint64_t bytes = 0;
  /// The files in the order they were used, live ones marked; for Journal::start.
  [[nodiscard]] std::vector<JournalFile> for_start() const;

  std::vector<std::size_t> live;  // indexes into `files`, in the order they were used
};

/// The files alone, none of them read, that of `live` marked; what start() needs after a clean stop.
Result<std::vector<JournalFile>> list_journal(io::FileSystem& files, Generation live);

/// Where damage was found; for verify.
struct JournalDamage {
  std::string path;
  std::uint64_t position = 0;
};

/// Gets every group in order while the journal is read; an error ends the reading.
using JournalVisitor = std::function<Result<void>(const JournalGroup&)>;

/// Finds everything from `from` on. corrupt: damage, with file and position; io_error; what `visit` answers.
Result<JournalScan> scan_journal(io::FileSystem& files, std::uint64_t salt, const JournalPosition& from,
                                 const SeededBugs& bugs, const JournalVisitor& visit = {},
                                 JournalDamage* damage = nullptr);

}  // namespace millrace::storage
