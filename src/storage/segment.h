// Segment: the files of one segment (.log, .index, .timeindex) in Apache Kafka's layout (docs/formats/segment.md),
// written by the segment writer and read by anyone beside it.
//
// Invariant: nothing is served that was not checked: each batch must continue the chain of offsets and match its CRC.
// Indexes are hints: an entry that does not lead to its batch makes the reader walk from the front. Thread: append,
// seal, sync, truncate: the segment writer. read, find_*: any, each with a copy of a published SegmentState.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/file_slice.h"
#include "io/block_buffer.h"
#include "io/file_system.h"
#include "model/record_batch.h"
#include "storage/batch_walker.h"
#include "storage/open_files.h"
#include "storage/segment_state.h"
#include "storage/waiting_entries.h"

namespace millrace::storage {

inline constexpr std::uint64_t kMaxIndexBytes = 10_MiB;   // Kafka's segment.index.bytes
inline constexpr std::string_view kSwapSuffix = ".swap";  // of compacted files that wait for their place
inline constexpr std::size_t kIndexEntryBytes = 8;
inline constexpr std::size_t kTimeEntryBytes = 12;
inline constexpr std::size_t kMaxRecordsBytes = 256_MiB;  // of one batch, decompressed

/// A batch on its way from the journal to a segment, and in the tail for readers.
struct StoredBatch {
  SharedBytes bytes;
  Offset base;
  Offset last;
  std::int64_t max_timestamp = kNoTimestamp;
  std::int64_t base_timestamp = kNoTimestamp;
};

/// "00000000000000000042.log"
[[nodiscard]] std::string segment_file_name(Offset base, std::string_view extension);
/// The base offset and extension of such a name.
struct SegmentFileName {
  Offset base;
  std::string_view extension;  // with its dot
};
[[nodiscard]] std::optional<SegmentFileName> parse_segment_file_name(std::string_view name);

struct TimestampMatch {
  std::int64_t timestamp_ms = 0;
  Offset offset;
};
/// First record of `batch`, compressed or not, at or behind `from` with a timestamp >= `timestamp_ms`. A batch whose
/// records a producer garbled (its CRC holds) answers with its first offset.
[[nodiscard]] std::optional<TimestampMatch> find_in_batch(const BatchHeader& header, ByteView batch,
                                                          std::int64_t timestamp_ms, Offset from);

class Segment {
 public:
  /// With `swap` its files are called ".swap" until take_name(). `open_files` may be null: then nothing bounds them.
  Segment(io::FileSystem& files, std::string directory, Offset base, std::shared_ptr<OpenFiles> open_files = nullptr,
          bool swap = false)
      : files_(files), directory_(std::move(directory)), base_(base), open_files_(std::move(open_files)), swap_(swap) {}
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment() {
    if (open_files_) open_files_->closed(*this);
  }

  [[nodiscard]] Offset base() const { return base_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string path(std::string_view extension) const;

  struct AppendRules {
    std::int32_t index_interval = 4096;
    std::uint64_t segment_limit = 0;  // blocks are not reserved beyond it
    std::int64_t now_ms = 0;
    std::uint64_t direct_bytes = 0;  // smaller pieces go through the page cache
    std::uint64_t index_bytes = 0;   // index entries for less log than this wait for the next append, or for seal()
    bool all = true;                 // false: more is coming, so what would end inside a block may wait for it
    bool pad =
        false;  // write whole blocks past the page cache, however little it is; what fills the last does not count
  };
  struct Appended {
    SegmentState state;
    std::size_t batches = 0;  // how many of those given it holds; all of them, or with all = false perhaps fewer
  };
  /// Appends batches behind `state.size` with Kafka's index rules; index entries that wait are not in the state, and
  /// whoever dies with them leaves an index with a hole. Large pieces are written in whole blocks past the page cache,
  /// from `blocks` (scratch memory). On error nothing counts.
  Result<Appended> append(const SegmentState& state, std::span<const StoredBatch> batches, const AppendRules& rules,
                          io::BlockBuffer& blocks);

  /// An append that has begun; its memory is that of the batches and of the blocks.
  struct Piece {
    SegmentState after;              // without index entries that are due
    std::size_t batches = 0;         // that it holds
    std::shared_ptr<io::File> file;  // where blocks.view() has to be written; null: nowhere
    std::uint64_t position = 0;      // ... and from where on
    std::vector<ByteView> behind;    // what follows the blocks as bytes
    std::uint64_t index_bytes = 0;   // AppendRules::index_bytes
    WaitingEntries::Mark mark;       // entries that waited before it
    bool overhung = false;
  };
  /// append() in two halves, so that the writes of several segments can be under way together. Whoever got a piece
  /// writes its blocks and calls finish_append() with the outcome before the segment is used again.
  Result<Piece> begin_append(const SegmentState& state, std::span<const StoredBatch> batches, const AppendRules& rules,
                             io::BlockBuffer& blocks);
  Result<Appended> finish_append(const SegmentState& state, Piece piece, const Result<void>& written,
                                 const io::BlockBuffer& blocks);
  /// Offset index entries that wait.
  [[nodiscard]] std::uint32_t waiting_entries() const { return waiting_.count(); }
  /// No more appends: forces the last time index entry and gives reserved blocks back. Returns the final state.
  Result<SegmentState> seal(const SegmentState& state);
  /// Gives back reserved blocks, and what a write that failed for lack of room left behind (clean stop).
  Result<void> trim(const SegmentState& state);
  /// Asks the kernel to begin writing what sync() will wait for.
  Result<void> begin_sync();
  /// What was appended survives a power cut. False: a file was given back since it was written to, and the error of a
  /// write behind it is told to its own descriptor, or to sync_all() of the file system: that has to follow.
  Result<bool> sync();
  /// sync_all() succeeded.
  void synced();
  [[nodiscard]] bool dirty() const { return dirty_.load(std::memory_order_relaxed) != 0; }
  [[nodiscard]] bool sealed() const { return sealed_; }
  bool listed_as_dirty = false;  // the segment writer's: a checkpoint has to sync it
  /// Gives file descriptors back when everything is synced; the next use opens the files again.
  void close_files();
  /// The same for files that are gone, written and not synced or not.
  void abandon_files();
  /// The same, asked by OpenFiles from any thread, synced or not. False, once, when they were used since it was last
  /// asked.
  [[nodiscard]] bool give_back_files();

  /// True when the files are exactly as long as `state` says; corrupt when one is missing or shorter. Opens none.
  Result<bool> check_files(const SegmentState& state) const;
  /// Renames what is called ".swap" (not synced); what has its name already is left. Replaces files of that name.
  Result<void> take_name();
  /// Its files go, or their names become another segment's: who opens one from now on is told `closed`. Files that are
  /// open stay readable.
  void retire();
  /// The .log file, for going through all of it.
  Result<std::shared_ptr<io::File>> log_file() { return file(log); }
  /// Removes the files; those open stay readable. Files that are gone already are no error.
  Result<void> unlink();
  /// Cuts the files back to `state`.
  Result<void> truncate(const SegmentState& state);

  /// Whole checked batches, in memory or as a part of the file.
  struct Batches {
    std::vector<SharedBytes> batches;
    FileSlice file;
    Offset next;           // behind the last of them
    bool records = false;  // one of them has a record
  };
  /// Whole batches from the one holding `from` on. `as_file`: where the file has a descriptor. corrupt: named in
  /// detail. closed: retired; look again.
  Result<Batches> read(const SegmentState& state, Offset from, std::size_t max_bytes, bool as_file);
  /// First record at or behind `from` with a timestamp >= `timestamp_ms`.
  Result<std::optional<TimestampMatch>> find_timestamp(const SegmentState& state, std::int64_t timestamp_ms,
                                                       Offset from);

 private:
  enum Kind : std::uint8_t { log = 0, index = 1, time_index = 2, blocks_of_log = 3 };  // the last: OpenMode::blocks
  static constexpr std::size_t kKinds = 4;
  static std::uint8_t dirt_of(Kind kind) {
    return static_cast<std::uint8_t>(1U << (kind == blocks_of_log ? log : kind));
  }
  struct Start {
    std::uint64_t position = 0;
    std::optional<Offset> entry_offset;  // last offset of the batch there, as the index says
  };
  Result<std::shared_ptr<io::File>> file(Kind kind, io::OpenMode mode = io::OpenMode::read_only);
  Result<std::unique_ptr<io::File>> open(Kind kind, io::OpenMode mode) const;
  Result<void> cut(Kind kind, const SegmentState& state, std::uint64_t size);
  /// For writing: marked as not synced, before anyone could give it back.
  Result<std::shared_ptr<io::File>> dirty_file(Kind kind, const SegmentState& state);
  Result<void> fill(const SegmentState& state, std::span<const StoredBatch> batches, const AppendRules& rules,
                    io::BlockBuffer& blocks, Piece& piece);
  Result<void> write_bytes(io::File& log, std::uint64_t from, std::uint64_t end, std::span<const ByteView> pieces);
  Result<void> fill_blocks(std::uint64_t from, std::uint64_t end, std::uint64_t last_block, bool pad,
                           std::span<const ByteView> pieces, io::BlockBuffer& blocks, std::vector<ByteView>& behind);
  /// The log is written to past the page cache: counts the descriptor.
  void count_direct();
  Result<void> take_partial_block(std::uint64_t size);
  void keep_partial_block(const Piece& piece, const io::BlockBuffer& blocks);
  std::unexpected<Error> undo_append(const SegmentState& state, const Piece& piece, const Error& error);
  Result<void> make_files(Kind kind_of_log);
  void reserve(io::File& log, const SegmentState& state, std::uint64_t end, std::uint64_t limit);
  /// What waits goes to the indexes; `state` with it.
  Result<SegmentState> write_entries(const SegmentState& state);
  /// The newest time index entry with a timestamp below.
  Result<std::optional<TimestampMatch>> time_entry_below(const SegmentState& state, std::int64_t timestamp_ms);
  Result<Start> look_up(const SegmentState& state, Offset from);
  Result<Batches> read_slice(const std::shared_ptr<io::File>& log_file, const SegmentState& state, const BatchAt& first,
                             std::size_t wanted);
  void set_cursor(Offset offset, std::uint64_t position);
  /// The batch holding `from`; walks from the index's hint, or from the front when the hint is wrong.
  Result<BatchAt> locate(io::File& log, const SegmentState& state, Offset from);
  std::unexpected<Error> corrupt(std::uint64_t position, const Error& reason) const;

  io::FileSystem& files_;
  std::string directory_;
  Offset base_;
  const std::shared_ptr<OpenFiles> open_files_;
  std::atomic<bool> swap_;
  std::atomic<bool> used_{false};        // since OpenFiles asked last
  std::atomic<std::uint8_t> dirty_{0};   // the writer's: which files are not synced, one bit each
  std::atomic<bool> given_back_{false};  // ... and were given back since
  std::mutex open_mutex_;  // the files that are open, their names, and the cursor; not held while one is opened
  bool retired_ = false;   // guarded by open_mutex_
  std::shared_ptr<io::File> open_[kKinds];
  bool writable_[kKinds] = {};
  bool past_cache_ = false;   // guarded by open_mutex_: the log has a second descriptor, past the page cache
  Offset cursor_offset_{-1};  // guarded by open_mutex_: where the last read ended, for the next one
  std::uint64_t cursor_position_ = 0;
  // The writer's.
  std::uint64_t reserved_ = 0;
  bool sealed_ = false;
  WaitingEntries waiting_;
  bool overhangs_ = false;         // an append that failed may have left something behind the end of a file
  bool padded_ = false;            // the last block was filled up behind the end
  Buffer partial_;                 // the bytes of the block that the content ends in ...
  std::uint64_t partial_end_ = 0;  // ... when the content is so long; a block is written whole
};

/// sync(), and sync_all() when that is what it takes.
Result<void> sync_segment(io::FileSystem& files, Segment& segment);

}  // namespace millrace::storage
