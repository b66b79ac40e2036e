// The writer's half of Segment: appending, sealing, syncing. Thread: the segment writer.
#include <algorithm>
#include <limits>
#include <utility>

#include "storage/durable_file.h"
#include "storage/segment.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kMinReserve = 256_KiB;   // smaller segments reserve nothing: there may be thousands of them
constexpr std::uint64_t kMinWriteback = 16_KiB;  // less is not worth a call of its own; the checkpoint starts it
constexpr std::uint64_t kMaxReserve = 16_MiB;
constexpr std::uint64_t kMaxDirect = 8_MiB;  // memory for a piece on its way past the page cache
// Behind the end of a log, a batch that claims two gigabytes: Apache Kafka's tools take it for one that is not whole
// yet.
constexpr std::uint8_t kFiller = 0x7F;
constexpr std::uint64_t kNoPartial = std::numeric_limits<std::uint64_t>::max();

constexpr std::uint64_t block_of(std::uint64_t position) {
  return position / io::kBlockSize * io::kBlockSize;
}

}  // namespace

// The bytes in front of `size` that share its block: the next write by blocks begins with them.
Result<void> Segment::take_partial_block(std::uint64_t size) {
  if (partial_end_ == size) return {};
  const std::uint64_t block = block_of(size);
  partial_.resize(static_cast<std::size_t>(size - block));
  if (size > block) {
    MR_TRY_ASSIGN(const std::shared_ptr<io::File> log_file, file(log));
    MR_TRY_ASSIGN(const std::size_t got, log_file->read_at(block, {partial_.data(), partial_.size()}));
    if (got < partial_.size()) return fail(ErrorCode::io_error, "segment file is shorter than its content");
  }
  partial_end_ = size;
  return {};
}

// What the next piece begins with: the end of these blocks, or of the bytes behind them.
void Segment::keep_partial_block(const Piece& piece, const io::BlockBuffer& blocks) {
  const std::uint64_t end = piece.after.size;
  const std::uint64_t block = block_of(end);
  partial_.clear();
  if (block < piece.position + blocks.size()) {
    partial_.append(
        blocks.view(static_cast<std::size_t>(block - piece.position), static_cast<std::size_t>(end - block)));
  }
  for (std::size_t i = 0; block + partial_.size() < end; ++i) {
    const ByteView& bytes = piece.behind[i];
    partial_.append(bytes.first(std::min<std::size_t>(bytes.size(), end - block - partial_.size())));
  }
  partial_end_ = end;
}

// Bytes [from, end) of the file; `pieces` may hold more.
Result<void> Segment::write_bytes(io::File& log_file, std::uint64_t from, std::uint64_t end,
                                  std::span<const ByteView> pieces) {
  std::vector<ByteView> counted;
  counted.reserve(pieces.size());
  std::uint64_t left = end - from;
  for (std::size_t i = 0; left > 0; ++i) {
    counted.push_back(pieces[i].first(std::min<std::size_t>(pieces[i].size(), left)));
    left -= counted.back().size();
  }
  MR_TRY(log_file.write_at(from, counted));
  if (end - from >= kMinWriteback) log_file.start_writeback(from, end - from);
  return {};
}

// Bytes [from, end) and, of what `pieces` has behind them, what fills the last block. What comes behind that block
// follows as bytes.
Result<void> Segment::fill_blocks(std::uint64_t from, std::uint64_t end, std::uint64_t last_block, bool pad,
                                  std::span<const ByteView> pieces, io::BlockBuffer& blocks,
                                  std::vector<ByteView>& behind) {
  const auto size = static_cast<std::size_t>(last_block - block_of(from));
  MR_TRY(take_partial_block(from));
  blocks.clear_for(size);
  blocks.append(partial_.view());
  for (const ByteView piece : pieces) {
    const std::size_t taken = blocks.append(piece.first(std::min(piece.size(), size - blocks.size())));
    if (taken < piece.size() && end > last_block) behind.push_back(piece.subspan(taken));
  }
  if (pad) blocks.pad(kFiller);
  return {};
}

Result<Segment::Appended> Segment::append(const SegmentState& state, std::span<const StoredBatch> batches,
                                          const AppendRules& rules, io::BlockBuffer& blocks) {
  MR_TRY_ASSIGN(Piece piece, begin_append(state, batches, rules, blocks));
  const auto written = piece.file ? piece.file->write_blocks(piece.position, blocks.view()) : Result<void>{};
  return finish_append(state, std::move(piece), written, blocks);
}

Result<Segment::Piece> Segment::begin_append(const SegmentState& state, std::span<const StoredBatch> batches,
                                             const AppendRules& rules, io::BlockBuffer& blocks) {
  Piece piece;
  piece.index_bytes = rules.index_bytes;
  piece.mark = waiting_.mark();
  piece.overhung = std::exchange(overhangs_, true);
  const auto filled = fill(state, batches, rules, blocks, piece);
  if (!filled) return undo_append(state, piece, filled.error());
  return piece;
}

Result<void> Segment::fill(const SegmentState& state, std::span<const StoredBatch> batches, const AppendRules& rules,
                           io::BlockBuffer& blocks, Piece& piece) {
  std::vector<ByteView> bytes;
  bytes.reserve(batches.size());
  std::uint64_t end = state.size;
  for (const StoredBatch& batch : batches) {
    bytes.push_back(batch.bytes.view());
    end += batch.bytes.size();
  }
  const std::uint64_t available = end;
  const std::uint64_t whole = block_of(end);
  const bool direct = whole - block_of(state.size) <= kMaxDirect &&
                      (rules.pad || (end - state.size >= rules.direct_bytes && whole > block_of(state.size)));
  if (direct && !rules.pad && !rules.all) {
    while (end > whole && end - batches.back().bytes.size() > state.size) {
      end -= batches.back().bytes.size();
      batches = batches.first(batches.size() - 1);
    }
  }
  piece.batches = batches.size();

  SegmentState& after = piece.after;
  after = state;
  for (const StoredBatch& batch : batches) {
    if (batch.max_timestamp > after.max_timestamp) {
      after.max_timestamp = batch.max_timestamp;
      after.max_timestamp_offset = batch.last;
    }
    if (after.bytes_since_index > static_cast<std::uint64_t>(rules.index_interval)) {
      waiting_.add(after, batch.last);
      after.bytes_since_index = 0;
    }
    after.bytes_since_index += batch.bytes.size();
    after.size += batch.bytes.size();
    after.next = batch.last + 1;
  }
  if (state.size == 0) after.created_ms = rules.now_ms;
  after.last_append_ms = rules.now_ms;

  // Small segments, of which there may be many, do with as few files as they can; all three must be there.
  const Kind kind = direct && rules.pad ? blocks_of_log : log;
  if (state.size == 0) MR_TRY(make_files(kind));
  MR_TRY_ASSIGN(const std::shared_ptr<io::File> log_file, dirty_file(kind, state));
  reserve(*log_file, state, end, rules.segment_limit);
  if (!direct) {
    partial_end_ = kNoPartial;
    partial_ = Buffer();
    return write_bytes(*log_file, state.size, end, bytes);
  }
  if (kind == log) count_direct();
  piece.file = log_file;
  piece.position = block_of(state.size);
  std::uint64_t last_block = block_of(end + io::kBlockSize - 1);
  if (!rules.pad) last_block = std::min(last_block, block_of(available));
  return fill_blocks(state.size, end, last_block, rules.pad, bytes, blocks, piece.behind);
}

Result<Segment::Appended> Segment::finish_append(const SegmentState& state, Piece piece, const Result<void>& written,
                                                 const io::BlockBuffer& blocks) {
  const auto finish = [&]() -> Result<SegmentState> {
    MR_TRY(Result<void>(written));
    if (piece.file) {
      const std::uint64_t last_block = piece.position + blocks.size();
      keep_partial_block(piece, blocks);
      padded_ = last_block > piece.after.size;
      if (piece.after.size > last_block) {
        MR_TRY(write_bytes(*piece.file, last_block, piece.after.size, piece.behind));
      }
    }
    if (waiting_.empty() || waiting_.behind(piece.after.size) < piece.index_bytes) return piece.after;
    return write_entries(piece.after);
  };
  const auto finished = finish();
  if (!finished) return undo_append(state, piece, finished.error());
  overhangs_ = piece.overhung;
  return Appended{*finished, piece.batches};
}

// The file must end where its content ends, for tools that read it meanwhile. Should this fail too, the next append
// overwrites.
std::unexpected<Error> Segment::undo_append(const SegmentState& state, const Piece& piece, const Error& error) {
  waiting_.back_to(piece.mark);
  if (const auto log_file = dirty_file(log, state)) (void)(*log_file)->truncate(state.size);
  reserved_ = 0;
  partial_end_ = kNoPartial;
  return std::unexpected(error);
}

// Room for what comes next keeps block allocation off the file system's journal. Failing is no reason to stop: the
// write decides.
void Segment::reserve(io::File& log_file, const SegmentState& state, std::uint64_t end, std::uint64_t limit) {
  if (end <= std::max(reserved_, kMinReserve)) return;
  const std::uint64_t step = std::clamp(end, kMinReserve, kMaxReserve);
  const std::uint64_t target = std::max(end, std::min(end + step, limit));
  if (log_file.reserve(state.size, target - state.size)) reserved_ = target;
}

// They are empty, so that only their names have to survive: nothing here is dirty. The log is made when it is opened,
// unless it is opened for blocks.
Result<void> Segment::make_files(Kind kind_of_log) {
  for (const Kind kind : {index, time_index}) MR_TRY(open(kind, io::OpenMode::create));
  if (kind_of_log == blocks_of_log) MR_TRY(open(log, io::OpenMode::create));
  return {};
}

Result<SegmentState> Segment::write_entries(const SegmentState& state) {
  const auto write = [&](Kind kind, std::uint64_t from, const Buffer& entries) -> Result<void> {
    if (entries.empty()) return {};
    MR_TRY_ASSIGN(const std::shared_ptr<io::File> index_file, dirty_file(kind, state));
    return index_file->write_at(from, entries.view());
  };
  MR_TRY(write(index, state.index_entries * kIndexEntryBytes, waiting_.offset_index()));
  MR_TRY(write(time_index, state.time_entries * kTimeEntryBytes, waiting_.time_index()));
  const SegmentState after = waiting_.written(state);
  waiting_.clear();
  return after;
}

Result<std::shared_ptr<io::File>> Segment::dirty_file(Kind kind, const SegmentState& state) {
  dirty_.fetch_or(dirt_of(kind));
  if (kind == blocks_of_log) return file(kind, io::OpenMode::blocks);
  // Only an empty segment may still have to be made: one that lost a file must not go on with a hole.
  return file(kind, state.size == 0 ? io::OpenMode::create : io::OpenMode::read_write);
}

Result<SegmentState> Segment::seal(const SegmentState& state) {
  const WaitingEntries::Mark mark = waiting_.mark();
  overhangs_ = true;  // until truncate(): should that fail, the entries are in files whose state does not count them
  waiting_.add_time(state);
  const auto written = write_entries(state);
  if (!written) {
    waiting_.back_to(mark);
    return std::unexpected(written.error());
  }
  // Always: blocks may be reserved since before a restart, and a write without room may have left something behind the
  // end.
  MR_TRY(truncate(*written));
  reserved_ = 0;
  sealed_ = true;
  return *written;
}

Result<void> Segment::trim(const SegmentState& state) {
  if (overhangs_) return truncate(state);
  // Small segments reserve nothing; those of ten thousand partitions are not opened to find that out.
  const bool may_have_blocks = reserved_ > state.size || (dirty() && state.size > kMinReserve);
  if (!may_have_blocks && !padded_) return {};
  reserved_ = 0;
  padded_ = false;
  return cut(may_have_blocks ? log : blocks_of_log, state, state.size);
}

Result<void> Segment::begin_sync() {
  for (const Kind kind : {log, index, time_index}) {
    if ((dirty_.load() & (1U << kind)) == 0) continue;
    MR_TRY_ASSIGN(const std::shared_ptr<io::File> handle, file(kind, io::OpenMode::read_write));
    handle->start_writeback(0, 0);
  }
  return {};
}

Result<bool> Segment::sync() {
  for (const Kind kind : {log, index, time_index}) {
    if ((dirty_.load() & (1U << kind)) == 0) continue;
    MR_TRY_ASSIGN(const std::shared_ptr<io::File> handle, file(kind, io::OpenMode::read_write));
    if (given_back_.load()) return false;
    MR_TRY(sync_file(*handle));
  }
  if (given_back_.load()) return false;
  dirty_ = 0;
  return true;
}

Result<void> sync_segment(io::FileSystem& files, Segment& segment) {
  MR_TRY_ASSIGN(const bool synced, segment.sync());
  if (synced) return {};
  MR_TRY(sync_everything(files));
  segment.synced();
  return {};
}

void Segment::synced() {
  dirty_ = 0;
  given_back_ = false;
}

void Segment::close_files() {
  if (dirty()) return;  // an error of what was written is reported to the descriptor that wrote it
  {
    const std::scoped_lock lock(open_mutex_);
    for (auto& file : open_) file.reset();
    for (bool& writable : writable_) writable = false;
  }
  partial_ = Buffer();
  partial_end_ = kNoPartial;
  if (open_files_) open_files_->closed(*this);
}

void Segment::abandon_files() {
  synced();
  close_files();
}

Result<void> Segment::cut(Kind kind, const SegmentState& state, std::uint64_t size) {
  MR_TRY_ASSIGN(const std::shared_ptr<io::File> handle, dirty_file(kind, state));
  return handle->truncate(size);
}

Result<void> Segment::truncate(const SegmentState& state) {
  MR_TRY(cut(log, state, state.size));
  MR_TRY(cut(index, state, state.index_entries * kIndexEntryBytes));
  MR_TRY(cut(time_index, state, state.time_entries * kTimeEntryBytes));
  overhangs_ = false;
  padded_ = false;
  return {};
}

}  // namespace millrace::storage
