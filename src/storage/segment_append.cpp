// The writer's half of Segment: appending, sealing, syncing. Thread: the segment writer.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/endian.h"
#include "storage/durable_file.h"
#include "storage/segment.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kMinReserve = 256_KiB;   // smaller segments reserve nothing: there may be thousands of them
constexpr std::uint64_t kMinWriteback = 16_KiB;  // less is not worth a call of its own; the checkpoint starts it
constexpr std::uint64_t kMaxReserve = 16_MiB;
constexpr std::uint64_t kMaxDirect = 8_MiB;  // memory for a piece on its way past the page cache
constexpr std::uint64_t kNoPartial = std::numeric_limits<std::uint64_t>::max();

constexpr std::uint64_t block_of(std::uint64_t position) {
  return position / io::kBlockSize * io::kBlockSize;
}

}  // namespace

// The bytes in front of `size` that share its block: the next write by blocks begins with them.
Result<void> Segment::take_partial_block(io::File& log_file, std::uint64_t size) {
  if (partial_end_ == size) return {};
  const std::uint64_t block = block_of(size);
  partial_.resize(static_cast<std::size_t>(size - block));
  MR_TRY_ASSIGN(const std::size_t got, log_file.read_at(block, {partial_.data(), partial_.size()}));
  if (got < partial_.size()) return fail(ErrorCode::io_error, "segment file is shorter than its content");
  partial_end_ = size;
  return {};
}

// Bytes [from, end) of the file; `pieces` may hold more.
Result<void> Segment::write_pieces(io::File& log_file, std::uint64_t from, std::uint64_t end,
                                   std::vector<ByteView> pieces) {
  std::uint64_t left = end - from;
  std::size_t count = 0;
  for (; left > 0; ++count) {
    pieces[count] = pieces[count].first(std::min<std::size_t>(pieces[count].size(), left));
    left -= pieces[count].size();
  }
  pieces.resize(count);
  MR_TRY(log_file.write_at(from, pieces));
  if (end - from >= kMinWriteback) log_file.start_writeback(from, end - from);
  return {};
}

// Bytes [from, end) and, of what `pieces` has behind them, what fills the last block. What then ends inside a block
// follows as bytes.
Result<void> Segment::write_in_blocks(io::File& log_file, std::uint64_t from, std::uint64_t end,
                                      std::span<const ByteView> pieces, io::BlockBuffer& blocks) {
  std::uint64_t available = from;
  for (const ByteView piece : pieces) available += piece.size();
  const std::uint64_t first_block = block_of(from);
  const std::uint64_t last_block = std::min(block_of(end + io::kBlockSize - 1), block_of(available));
  const auto size = static_cast<std::size_t>(last_block - first_block);
  MR_TRY(take_partial_block(log_file, from));
  blocks.clear_for(size);
  blocks.append(partial_.view());
  std::vector<ByteView> rest;
  for (const ByteView piece : pieces) {
    const std::size_t taken = blocks.append(piece.first(std::min(piece.size(), size - blocks.size())));
    if (taken < piece.size()) rest.push_back(piece.subspan(taken));
  }
  MR_TRY(log_file.write_blocks(first_block, blocks.view()));
  // What the next piece begins with: the end of these blocks, or of the bytes behind them.
  partial_.clear();
  const std::uint64_t block = block_of(end);
  if (block < last_block) {
    partial_.append(blocks.view(static_cast<std::size_t>(block - first_block), static_cast<std::size_t>(end - block)));
  }
  for (std::size_t i = 0; block + partial_.size() < end; ++i) {
    partial_.append(rest[i].first(std::min<std::size_t>(rest[i].size(), end - block - partial_.size())));
  }
  partial_end_ = end;
  return end > last_block ? write_pieces(log_file, last_block, end, std::move(rest)) : Result<void>{};
}

Result<Segment::Appended> Segment::append(const SegmentState& state, std::span<const StoredBatch> batches,
                                          const AppendRules& rules, io::BlockBuffer& blocks) {
  std::vector<ByteView> pieces;
  pieces.reserve(batches.size());
  std::uint64_t end = state.size;
  for (const StoredBatch& batch : batches) {
    pieces.push_back(batch.bytes.view());
    end += batch.bytes.size();
  }
  const std::uint64_t whole = block_of(end);
  const bool direct = end - state.size >= rules.direct_bytes && whole > block_of(state.size) &&
                      whole - block_of(state.size) <= kMaxDirect;
  if (direct && !rules.all) {
    while (end > whole && end - batches.back().bytes.size() > state.size) {
      end -= batches.back().bytes.size();
      batches = batches.first(batches.size() - 1);
    }
  }

  SegmentState after = state;
  Buffer index_bytes;
  Buffer time_bytes;
  for (const StoredBatch& batch : batches) {
    if (batch.max_timestamp > after.max_timestamp) {
      after.max_timestamp = batch.max_timestamp;
      after.max_timestamp_offset = batch.last;
    }
    if (after.bytes_since_index > static_cast<std::uint64_t>(rules.index_interval)) {
      store_be(index_bytes.prepare(kIndexEntryBytes), static_cast<std::int32_t>(batch.last - base_));
      store_be(index_bytes.data() + index_bytes.size() + 4, static_cast<std::int32_t>(after.size));
      index_bytes.commit(kIndexEntryBytes);
      ++after.index_entries;
      append_time_entry(after, time_bytes);
      after.bytes_since_index = 0;
    }
    after.bytes_since_index += batch.bytes.size();
    after.size += batch.bytes.size();
    after.next = batch.last + 1;
  }
  if (state.size == 0) after.created_ms = rules.now_ms;
  after.last_append_ms = rules.now_ms;

  const bool overhung = std::exchange(overhangs_, true);
  MR_TRY_ASSIGN(const std::shared_ptr<io::File> log_file, dirty_file(log, state));
  // Small segments, of which there may be many, do with as few files as they can; all three must be there.
  std::shared_ptr<io::File> index_file;
  std::shared_ptr<io::File> time_file;
  if (state.size == 0 || !index_bytes.empty()) {
    MR_TRY_ASSIGN(index_file, dirty_file(index, state));
  }
  if (state.size == 0 || !time_bytes.empty()) {
    MR_TRY_ASSIGN(time_file, dirty_file(time_index, state));
  }
  if (after.size > std::max(reserved_, kMinReserve)) {
    // Room for what comes next keeps block allocation off the file system's journal. Failing is no reason to stop: the
    // write decides.
    const std::uint64_t step = std::clamp(after.size, kMinReserve, kMaxReserve);
    const std::uint64_t target = std::max(after.size, std::min(after.size + step, rules.segment_limit));
    if (log_file->reserve(state.size, target - state.size)) reserved_ = target;
  }
  if (!direct) {
    partial_end_ = kNoPartial;
    partial_ = Buffer();
  }
  const auto written = direct ? write_in_blocks(*log_file, state.size, after.size, pieces, blocks)
                              : write_pieces(*log_file, state.size, after.size, std::move(pieces));
  if (!written) {
    // The file must end where its content ends, for tools that read it meanwhile. Should this fail too, the next append
    // overwrites.
    (void)log_file->truncate(state.size);
    reserved_ = 0;
    partial_end_ = kNoPartial;
    return std::unexpected(written.error());
  }
  if (!index_bytes.empty()) MR_TRY(index_file->write_at(state.index_entries * kIndexEntryBytes, index_bytes.view()));
  if (!time_bytes.empty()) MR_TRY(time_file->write_at(state.time_entries * kTimeEntryBytes, time_bytes.view()));
  overhangs_ = overhung;
  return Appended{after, batches.size()};
}

void Segment::append_time_entry(SegmentState& state, Buffer& out) const {
  if (state.max_timestamp <= state.last_time_entry) return;
  store_be(out.prepare(kTimeEntryBytes), state.max_timestamp);
  store_be(out.data() + out.size() + 8, static_cast<std::int32_t>(state.max_timestamp_offset - base_));
  out.commit(kTimeEntryBytes);
  ++state.time_entries;
  state.last_time_entry = state.max_timestamp;
}

Result<std::shared_ptr<io::File>> Segment::dirty_file(Kind kind, const SegmentState& state) {
  dirty_.fetch_or(static_cast<std::uint8_t>(1U << kind));
  // Only an empty segment may still have to be made: one that lost a file must not go on with a hole.
  return file(kind, state.size == 0 ? io::OpenMode::create : io::OpenMode::read_write);
}

Result<SegmentState> Segment::seal(const SegmentState& state) {
  SegmentState after = state;
  Buffer time_bytes;
  append_time_entry(after, time_bytes);
  if (!time_bytes.empty()) {
    MR_TRY_ASSIGN(const std::shared_ptr<io::File> time_file, dirty_file(time_index, state));
    MR_TRY(time_file->write_at(state.time_entries * kTimeEntryBytes, time_bytes.view()));
  }
  // Always: blocks may be reserved since before a restart, and a write without room may have left something behind the
  // end.
  MR_TRY(truncate(after));
  reserved_ = 0;
  sealed_ = true;
  return after;
}

Result<void> Segment::trim(const SegmentState& state) {
  if (!dirty() && !overhangs_ && reserved_ <= state.size) return {};
  reserved_ = 0;
  // Reserved blocks, and what a write that failed for lack of room may have left behind the end.
  return truncate(state);
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

Result<void> Segment::truncate(const SegmentState& state) {
  const std::uint64_t sizes[] = {state.size, state.index_entries * kIndexEntryBytes,
                                 state.time_entries * kTimeEntryBytes};
  for (const Kind kind : {log, index, time_index}) {
    MR_TRY_ASSIGN(const std::shared_ptr<io::File> handle, dirty_file(kind, state));
    MR_TRY(handle->truncate(sizes[kind]));
  }
  overhangs_ = false;
  return {};
}

}  // namespace millrace::storage
