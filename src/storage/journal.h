// Journal: the shared, pre-zeroed, recycled files that every commit goes to first.
//
//   current   takes groups                      ready   written once with zeros or an older life, named, synced: next
//   to be used live      older, still needed by recovery   free    covered by a durable checkpoint: renamed to a new
//   generation, then ready
//
// Invariant: a file is recycled only after release_before() said that a durable checkpoint covers it, and takes groups
// only when its name is durable. Files are never given back while they are useful: overwriting written blocks is what
// makes a sync fast. Thread: write() and after_publish(): the log thread. prepare(), release_before(): the segment
// writer. One short mutex between them.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/file_system.h"
#include "storage/checkpoint_file.h"
#include "storage/journal_format.h"
#include "storage/log.h"
#include "storage/log_metrics.h"

namespace millrace::storage {

inline constexpr std::string_view kJournalDirectory = "journal";
/// "journal/00000000000000000007.journal"
[[nodiscard]] std::string journal_path(Generation generation);
[[nodiscard]] std::optional<Generation> parse_journal_name(std::string_view name);

/// A journal file as a start finds it.
struct JournalFile {
  Generation generation;
  std::uint64_t size = 0;
  bool live = false;  // recovery found groups in it, or the checkpoint points into it
};

class Journal {
 public:
  Journal(io::FileSystem& files, const Clock& clock, const LogOptions& options, std::uint64_t salt, LogMetrics& metrics)
      : files_(files), clock_(clock), options_(options), salt_(salt), metrics_(metrics) {}

  /// Takes over the files found (in the order they were used) and makes one file ready to write `next` into. Its
  /// generation is later than all of theirs, and not below `generation`.
  Result<void> start(std::span<const JournalFile> found, GroupSequence next, Generation generation);

  /// Makes certain that the device has what recovery read from live files. Before the first write(), when they stay
  /// needed.
  Result<void> sync_live();

  // Log thread.
  /// Writes and syncs one group; `batches` are its payload. disk_full: nothing happened. Anything else: final.
  Result<void> write(GroupEncoder& group, std::span<const ByteView> batches, std::int64_t wall_ms);
  /// Everything written is now visible: checkpoints may cover it.
  void after_publish();

  // Segment writer.
  /// One step (a piece of zeros, a rename) towards having files ready. False when there was nothing to do.
  Result<bool> prepare();
  /// The place behind what was published last, and the bytes of all groups published since start().
  struct Published {
    JournalPosition position;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] Published published() const;
  /// A durable checkpoint covers everything before `mark`.
  void release_before(const Published& mark);
  [[nodiscard]] std::uint64_t bytes_since_release() const;
  /// True when less than a quarter of journal_max_bytes is left for groups, or one was refused since the last release.
  [[nodiscard]] bool nearly_full() const;
  [[nodiscard]] std::uint64_t total_bytes() const;
  /// No file has it or a later one.
  [[nodiscard]] Generation next_generation() const;

 private:
  struct Current {
    Generation generation;
    std::unique_ptr<io::File> file;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;
  };
  struct Ready {
    Generation generation;
    std::uint64_t size = 0;
    std::unique_ptr<io::File> file;
  };
  struct Zeroing {
    std::unique_ptr<io::File> file;
    std::uint64_t size = 0;
    std::uint64_t done = 0;
  };
  /// Bytes at the end of each file that only groups without records may use: when the disk is full, the deletion that
  /// gives room must still find some.
  [[nodiscard]] std::uint64_t changes_reserve() const;
  Result<void> move_to_next_file(std::uint64_t need);
  Result<void> make_room(std::uint64_t need);
  enum class Limit : std::uint8_t { holds, may_pass };  // journal_max_bytes
  Result<Ready> make_file(std::uint64_t size, Limit limit = Limit::holds);
  Result<Ready> recycle(const JournalFile& file);
  Result<bool> recycle_free();
  [[nodiscard]] bool small(const JournalFile& file) const { return file.size < options_.journal_file_bytes; }
  Result<bool> zero_a_piece();
  Result<void> write_zeros(io::File& file, std::uint64_t from, std::uint64_t to);
  [[nodiscard]] Generation take_generation();
  Result<JournalFile> rename_to_new_life(const JournalFile& file);
  Result<Ready> open_ready(const JournalFile& file);

  io::FileSystem& files_;
  const Clock& clock_;
  const LogOptions options_;
  const std::uint64_t salt_;
  LogMetrics& metrics_;

  // The log thread's.
  Current current_;
  GroupSequence next_{1};
  std::uint64_t written_bytes_ = 0;
  std::vector<ByteView> pieces_;

  // The segment writer's.
  Zeroing zeroing_;
  MonoTime zeroing_not_before_{};

  mutable std::mutex mutex_;      // guards what follows
  std::deque<JournalFile> live_;  // in the order they were used
  std::vector<JournalFile> free_;
  std::deque<Ready> ready_;
  Published published_;
  std::uint64_t total_bytes_ = 0;  // of all files, the one being zeroed included
  std::uint64_t released_bytes_ = 0;
  bool refused_ = false;
  Generation next_generation_{1};
};

}  // namespace millrace::storage
