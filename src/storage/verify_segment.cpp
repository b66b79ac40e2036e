#include "storage/verify_segment.h"

#include "base/endian.h"
#include "codec/compression.h"
#include "model/record_reader.h"
#include "storage/batch_walker.h"
#include "storage/segment.h"

namespace millrace::storage {
namespace {

// Opens a file of the segment and judges its size. No file and no error: damage was reported.
Result<std::unique_ptr<io::File>> open_checked(io::FileSystem& files, const std::string& path, std::uint64_t size,
                                               bool exact, VerifyReport& report) {
  auto file = files.open(path, io::OpenMode::read_only);
  if (!file && file.error().code == ErrorCode::not_found) {
    report.damage.push_back({files.describe(path), 0, "file is missing"});
    return nullptr;
  }
  if (!file) return std::unexpected(file.error());
  MR_TRY_ASSIGN(const std::uint64_t actual, (*file)->size());
  if (actual < size) {
    report.damage.push_back(
        {files.describe(path), actual, "file is " + std::to_string(size - actual) + " bytes too short"});
    return nullptr;
  }
  if (exact && actual != size) {
    report.damage.push_back(
        {files.describe(path), size, "file has " + std::to_string(actual - size) + " bytes too many"});
  }
  return file;
}

// Walks an index beside the log: each entry must name a batch that comes by.
class OffsetIndexCheck {
 public:
  OffsetIndexCheck(io::File& file, const SegmentState& state)
      : window_(file, state.index_entries * kIndexEntryBytes), state_(state) {}
  /// False when the entry at entry_position() is wrong.
  Result<bool> pass(const BatchAt& batch) {
    while (next_ < state_.index_entries) {
      MR_TRY_ASSIGN(const ByteView entry, window_.at(next_ * kIndexEntryBytes, kIndexEntryBytes));
      if (entry.size() < kIndexEntryBytes) return false;
      const std::uint64_t position = load_be<std::uint32_t>(entry.data() + 4);
      if (position > batch.position) return true;
      if (position < batch.position || state_.base + load_be<std::int32_t>(entry.data()) != batch.header.last_offset())
        return false;
      ++next_;
    }
    return true;
  }
  [[nodiscard]] bool finished() const { return next_ == state_.index_entries; }
  [[nodiscard]] std::uint64_t entry_position() const { return next_ * kIndexEntryBytes; }

 private:
  FileWindow window_;
  const SegmentState& state_;
  std::uint64_t next_ = 0;
};

class TimeIndexCheck {
 public:
  TimeIndexCheck(io::File& file, const SegmentState& state)
      : window_(file, state.time_entries * kTimeEntryBytes), state_(state) {}
  Result<bool> pass(const BatchAt& batch) {
    const bool newest = batch.header.max_timestamp > newest_;
    if (newest) newest_ = batch.header.max_timestamp;
    if (next_ == state_.time_entries) return true;
    MR_TRY_ASSIGN(const ByteView entry, window_.at(next_ * kTimeEntryBytes, kTimeEntryBytes));
    if (entry.size() < kTimeEntryBytes) return false;
    const auto timestamp = load_be<std::int64_t>(entry.data());
    const Offset offset = state_.base + load_be<std::int32_t>(entry.data() + 8);
    if (offset > batch.header.last_offset()) return true;
    // The entry names the batch that set the maximum: this one, and it is the newest so far.
    if (offset != batch.header.last_offset() || !newest || timestamp != newest_) return false;
    ++next_;
    return true;
  }
  [[nodiscard]] bool finished() const { return next_ == state_.time_entries; }
  [[nodiscard]] std::uint64_t entry_position() const { return next_ * kTimeEntryBytes; }

 private:
  FileWindow window_;
  const SegmentState& state_;
  std::uint64_t next_ = 0;
  std::int64_t newest_ = kNoTimestamp;
};

}  // namespace

const char* check_records(ByteView batch, std::uint64_t& records) {
  const auto header = parse_batch_header(batch);
  if (!header) return header.error().context;
  ByteView section = batch.subspan(kBatchHeaderSize);
  Buffer plain;
  if (header->compression() != Compression::none) {
    if (!decompress(static_cast<CompressionCodec>(header->compression()), section, kMaxRecordsBytes, plain)) {
      return "records do not decompress";
    }
    section = plain.view();
  }
  RecordReader reader(*header, section);
  while (!reader.done()) {
    const auto record = reader.next();
    if (!record) return record.error().context;
    ++records;
  }
  const auto finished = reader.finish();
  return finished ? nullptr : finished.error().context;
}

Result<void> verify_segment(io::FileSystem& files, const std::string& directory, const SegmentState& state, bool exact,
                            bool deep, const std::function<void(const BatchHeader&)>& batch_passes,
                            VerifyReport& report) {
  const Segment names(files, directory, state.base);
  // A process that died may have renamed some of the files of a compacted segment.
  const auto path_of = [&](std::string_view extension) {
    std::string path = names.path(extension);
    const std::string waiting = path + std::string(kSwapSuffix);
    return state.swap && files.exists(waiting) ? waiting : path;
  };
  const std::string log_path = path_of(".log");
  const std::string index_path = path_of(".index");
  const std::string time_path = path_of(".timeindex");
  MR_TRY_ASSIGN(const auto log, open_checked(files, log_path, state.size, exact, report));
  MR_TRY_ASSIGN(const auto index,
                open_checked(files, index_path, state.index_entries * kIndexEntryBytes, exact, report));
  MR_TRY_ASSIGN(const auto time_index,
                open_checked(files, time_path, state.time_entries * kTimeEntryBytes, exact, report));
  ++report.segments;
  if (!log || !index || !time_index) return {};
  report.bytes += state.size;

  BatchWalker walker(*log, 0, state.size, state.base);
  OffsetIndexCheck offsets(*index, state);
  TimeIndexCheck times(*time_index, state);
  bool offsets_good = true;
  bool times_good = true;
  SegmentState seen;
  seen.next = state.base;
  for (;;) {
    const auto batch = walker.next();
    if (!batch && batch.error().code != ErrorCode::malformed) return std::unexpected(batch.error());
    if (!batch) {
      // Nothing behind a broken chain can be placed; the indexes are not judged by it.
      report.damage.push_back({files.describe(log_path), walker.position(), batch.error().context});
      return {};
    }
    if (!*batch) break;
    const BatchAt& at = **batch;
    ++report.batches;
    batch_passes(at.header);
    seen.next = at.header.next_offset();
    if (at.header.max_timestamp > seen.max_timestamp) {
      seen.max_timestamp = at.header.max_timestamp;
      seen.max_timestamp_offset = at.header.last_offset();
    }
    if (deep) {
      const auto bytes = walker.payload(at);
      if (!bytes && bytes.error().code != ErrorCode::malformed) return std::unexpected(bytes.error());
      const char* problem = !bytes                       ? bytes.error().context
                            : !batch_crc_matches(*bytes) ? "record batch CRC does not match"
                                                         : check_records(*bytes, report.records);
      if (problem != nullptr) report.damage.push_back({files.describe(log_path), at.position, problem});
    }
    if (offsets_good) {
      MR_TRY_ASSIGN(offsets_good, offsets.pass(at));
    }
    if (times_good) {
      MR_TRY_ASSIGN(times_good, times.pass(at));
    }
  }
  if (!offsets_good || !offsets.finished()) {
    report.damage.push_back(
        {files.describe(index_path), offsets.entry_position(), "index entry does not name its batch"});
  }
  if (!times_good || !times.finished()) {
    report.damage.push_back(
        {files.describe(time_path), times.entry_position(), "time index entry does not name its batch"});
  }
  if (seen.next != state.next || seen.max_timestamp != state.max_timestamp ||
      seen.max_timestamp_offset != state.max_timestamp_offset) {
    report.damage.push_back({files.describe(log_path), state.size, "segment is not what the checkpoint says"});
  }
  return {};
}

}  // namespace millrace::storage
