#include "storage/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/endian.h"
#include "codec/compression.h"
#include "model/record_reader.h"
#include "storage/durable_file.h"

namespace millrace::storage {
namespace {

constexpr std::string_view kExtensions[] = {".log", ".index", ".timeindex"};  // of the first three kinds
constexpr std::size_t kMaxRead = 16_MiB;                                      // of one call, whatever was asked for
constexpr std::size_t kCheckedPiece = 256_KiB;  // read at once to be checked before it is sent from the file
constexpr std::size_t kNameDigits = 20;

}  // namespace

std::string segment_file_name(Offset base, std::string_view extension) {
  return fmt::format("{:020}{}", base.value(), extension);
}

std::optional<SegmentFileName> parse_segment_file_name(std::string_view name) {
  if (name.size() <= kNameDigits || name[kNameDigits] != '.') return std::nullopt;
  std::int64_t base = 0;
  const char* const begin = name.data();
  const char* const end = begin + kNameDigits;
  const auto result = std::from_chars(begin, end, base);
  if (result.ec != std::errc{} || result.ptr != end || base < 0) return std::nullopt;
  return SegmentFileName{Offset(base), name.substr(kNameDigits)};
}

std::optional<TimestampMatch> find_in_batch(const BatchHeader& header, ByteView batch, std::int64_t timestamp_ms,
                                            Offset from) {
  if (header.max_timestamp < timestamp_ms || header.last_offset() < from) return std::nullopt;
  const TimestampMatch garbled{header.max_timestamp, std::max(header.base_offset, from)};
  ByteView section = batch.subspan(kBatchHeaderSize);
  Buffer plain;
  if (header.compression() != Compression::none) {
    const auto codec = static_cast<CompressionCodec>(header.compression());
    if (!decompress(codec, section, kMaxRecordsBytes, plain)) return garbled;
    section = plain.view();
  }
  RecordReader records(header, section);
  while (!records.done()) {
    const auto record = records.next();
    if (!record) return garbled;
    if (record->offset >= from && record->record.timestamp_ms >= timestamp_ms) {
      return TimestampMatch{record->record.timestamp_ms, record->offset};
    }
  }
  return std::nullopt;
}

std::string Segment::path(std::string_view extension) const {
  std::string path = directory_ + '/' + segment_file_name(base_, extension);
  if (swap_.load(std::memory_order_acquire)) path += kSwapSuffix;
  return path;
}

std::unexpected<Error> Segment::corrupt(std::uint64_t position, const Error& reason) const {
  if (reason.code != ErrorCode::malformed && reason.code != ErrorCode::corrupt) return std::unexpected(reason);
  return fail(ErrorCode::corrupt, "segment is damaged",
              fmt::format("{} at position {}: {}", files_.describe(path(".log")), position, reason.context));
}

Result<std::unique_ptr<io::File>> Segment::open(Kind kind, io::OpenMode mode) const {
  if (kind == blocks_of_log) kind = log;
  auto opened = files_.open(path(kExtensions[kind]), mode);
  if (!opened && opened.error().code == ErrorCode::not_found && swap_.load(std::memory_order_acquire)) {
    opened = files_.open(directory_ + '/' + segment_file_name(base_, kExtensions[kind]), mode);  // being renamed
  }
  return opened;
}

Result<std::shared_ptr<io::File>> Segment::file(Kind kind, io::OpenMode mode) {
  const bool writing = mode != io::OpenMode::read_only;
  if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  // Readers may come first; the writer needs a file that can be written. A reader's handle is then kept for those who
  // use it.
  const auto there = [&] { return open_[kind] && (!writing || writable_[kind]); };
  {
    const std::scoped_lock lock(open_mutex_);
    if (retired_) return fail(ErrorCode::closed, "segment was replaced");
    if (there()) return open_[kind];
  }
  MR_TRY_ASSIGN(std::shared_ptr<io::File> opened, open(kind, mode));
  bool more = false;
  {
    const std::scoped_lock lock(open_mutex_);
    // Its name may be another's by now.
    if (retired_) return fail(ErrorCode::closed, "segment was replaced");
    if (there()) return open_[kind];
    more = !open_[kind] || writing;
    open_[kind] = opened;
    writable_[kind] = writing;
    if (kind == log) past_cache_ = false;
  }
  if (open_files_ && more) open_files_->opened(*this, 1);
  return opened;
}

void Segment::count_direct() {
  {
    const std::scoped_lock lock(open_mutex_);
    if (std::exchange(past_cache_, true)) return;
  }
  if (open_files_) open_files_->opened(*this, 1);
}

Result<bool> Segment::check_files(const SegmentState& state) const {
  const std::uint64_t sizes[] = {state.size, state.index_entries * kIndexEntryBytes,
                                 state.time_entries * kTimeEntryBytes};
  bool exact = true;
  for (const Kind kind : {log, index, time_index}) {
    const std::string name = path(kExtensions[kind]);
    const auto size = files_.file_size(name);
    if (!size && size.error().code == ErrorCode::not_found) {
      return fail(ErrorCode::corrupt, "segment file is missing", files_.describe(name));
    }
    if (!size) return std::unexpected(size.error());
    if (*size < sizes[kind]) {
      return fail(
          ErrorCode::corrupt, "segment file is shorter than the checkpoint says",
          fmt::format("{} at position {}: {} bytes are missing", files_.describe(name), *size, sizes[kind] - *size));
    }
    exact = exact && *size == sizes[kind];
  }
  return exact;
}

Result<void> Segment::unlink() {
  for (const std::string_view extension : kExtensions) {
    const auto removed = files_.remove_file(path(extension));
    if (!removed && removed.error().code != ErrorCode::not_found) return removed;
  }
  const auto removed = files_.remove_file(path(".snapshot"));  // the producers' state where it begins, if there is one
  if (!removed && removed.error().code != ErrorCode::not_found) return removed;
  return {};
}

// No lock: a reader that comes between two renames finds the file under one of its names.
Result<void> Segment::take_name() {
  for (const std::string_view extension : kExtensions) {
    const std::string to = directory_ + '/' + segment_file_name(base_, extension);
    const auto renamed = files_.rename(to + std::string(kSwapSuffix), to);
    if (!renamed && renamed.error().code != ErrorCode::not_found) return renamed;
  }
  swap_.store(false, std::memory_order_release);
  return {};
}

void Segment::retire() {
  {
    const std::scoped_lock lock(open_mutex_);
    retired_ = true;
    for (auto& file : open_) file.reset();
  }
  if (open_files_) open_files_->closed(*this);
}

bool Segment::give_back_files() {
  if (used_.exchange(false, std::memory_order_relaxed)) return false;
  std::shared_ptr<io::File> given[kKinds];
  const std::scoped_lock lock(open_mutex_);
  for (const Kind kind : {log, index, time_index, blocks_of_log}) {
    if (writable_[kind] && (dirty_.load() & dirt_of(kind)) != 0) given_back_ = true;
    given[kind] = std::exchange(open_[kind], nullptr);
    writable_[kind] = false;
  }
  return true;
}

Result<Segment::Start> Segment::look_up(const SegmentState& state, Offset from) {
  if (state.index_entries == 0 || from <= base_) return Start{};
  MR_TRY_ASSIGN(const std::shared_ptr<io::File> index_file, file(index));
  Start best;
  std::uint32_t low = 0;
  std::uint32_t high = state.index_entries;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    std::uint8_t entry[kIndexEntryBytes];
    MR_TRY_ASSIGN(const std::size_t got, index_file->read_at(middle * kIndexEntryBytes, entry));
    if (got < sizeof entry) return Start{};
    const Offset offset = base_ + load_be<std::int32_t>(entry);
    if (offset <= from) {
      best = {static_cast<std::uint32_t>(load_be<std::int32_t>(entry + 4)), offset};
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return best.position < state.size ? best : Start{};
}

Result<BatchAt> Segment::locate(io::File& log_file, const SegmentState& state, Offset from) {
  Start start;
  {
    const std::scoped_lock lock(open_mutex_);
    if (cursor_offset_ == from && cursor_position_ < state.size) start = {cursor_position_, std::nullopt};
  }
  const bool at_cursor = start.position != 0;
  if (!at_cursor) {
    MR_TRY_ASSIGN(start, look_up(state, from));
  }
  for (;;) {
    std::optional<Offset> expected;
    if (at_cursor && start.position != 0) expected = from;
    if (start.position == 0) expected = base_;
    BatchWalker walker(log_file, start.position, state.size, expected);
    bool hint_holds = true;
    for (;;) {
      const auto found = walker.next();
      if (!found && found.error().code != ErrorCode::malformed) return std::unexpected(found.error());
      const bool first = found && *found && (*found)->position == start.position;
      if (first && start.entry_offset && (*found)->header.last_offset() != *start.entry_offset) hint_holds = false;
      if (!hint_holds || !found || !*found) {
        if (start.position != 0) break;  // the hint may be what is damaged: judge from the front
        if (!found) return corrupt(walker.position(), found.error());
        return corrupt(walker.position(), Error{ErrorCode::malformed, "segment ends before its last offset", {}});
      }
      if ((*found)->header.last_offset() >= from) return **found;
    }
    start = Start{};
  }
}

void Segment::set_cursor(Offset offset, std::uint64_t position) {
  const std::scoped_lock lock(open_mutex_);
  cursor_offset_ = offset;
  cursor_position_ = position;
}

// Every batch is read once, to be checked; the sender takes the bytes from the page cache.
Result<Segment::Batches> Segment::read_slice(const std::shared_ptr<io::File>& log_file, const SegmentState& state,
                                             const BatchAt& first, std::size_t wanted) {
  BatchWalker walker(*log_file, first.position, state.size, first.header.base_offset, kCheckedPiece);
  Offset next = first.header.base_offset;
  std::uint64_t end = first.position;
  bool records = false;
  // What stands before a damaged batch is served; the damage is the answer to the read that begins at it.
  std::optional<Error> damage;
  while (end < state.size) {
    const auto found = walker.next();
    if (!found || !*found) {
      damage = found ? Error{ErrorCode::malformed, "segment file ends inside a record batch", {}} : found.error();
      break;
    }
    const BatchAt& batch = **found;
    if (end != first.position && end + batch.header.size_bytes() - first.position > wanted) break;
    const auto bytes = walker.payload(batch);
    if (!bytes || !batch_crc_matches(*bytes)) {
      damage = bytes ? Error{ErrorCode::malformed, "record batch CRC does not match", {}} : bytes.error();
      break;
    }
    next = batch.header.next_offset();
    records = records || batch.header.record_count > 0;
    end = batch.position + batch.header.size_bytes();
  }
  if (end == first.position) {
    if (!damage) damage = Error{ErrorCode::malformed, "segment ends before its last offset", {}};
    if (damage->code != ErrorCode::malformed) return std::unexpected<Error>(std::move(*damage));
    return corrupt(first.position, *damage);
  }
  set_cursor(next, end);
  return Batches{{},
                 {log_file, log_file->descriptor(), first.position, static_cast<std::size_t>(end - first.position)},
                 next,
                 records};
}

Result<Segment::Batches> Segment::read(const SegmentState& state, Offset from, std::size_t max_bytes, bool as_file) {
  MR_TRY_ASSIGN(const std::shared_ptr<io::File> log_file, file(log));
  MR_TRY_ASSIGN(const BatchAt first, locate(*log_file, state, from));
  const std::size_t wanted = std::max(first.header.size_bytes(), std::min(max_bytes, kMaxRead));
  if (as_file && log_file->descriptor() >= 0) return read_slice(log_file, state, first, wanted);
  Buffer buffer;
  buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(wanted, state.size - first.position)));
  MR_TRY_ASSIGN(const std::size_t got, log_file->read_at(first.position, {buffer.data(), buffer.size()}));
  buffer.resize(got);
  const SharedBytes bytes(std::move(buffer));

  std::vector<SharedBytes> batches;
  Offset expected = first.header.base_offset;
  std::size_t at = 0;
  bool records = false;
  // What stands before a damaged batch is served; the damage is the answer to the read that begins at it.
  const char* damage = nullptr;
  while (bytes.size() - at >= kBatchHeaderSize) {
    const ByteView rest = bytes.view().subspan(at);
    const auto header = parse_batch_header(rest);
    if (!header) {
      damage = header.error().context;
      break;
    }
    if (header->size_bytes() > rest.size()) break;
    if (header->base_offset != expected || header->leader_epoch.value() != 0) {
      damage = "record batch does not begin at the next offset";
      break;
    }
    if (!batch_crc_matches(rest.first(header->size_bytes()))) {
      damage = "record batch CRC does not match";
      break;
    }
    expected = header->next_offset();
    records = records || header->record_count > 0;
    batches.push_back(bytes.slice(at, header->size_bytes()));
    at += header->size_bytes();
  }
  if (batches.empty() && damage != nullptr) return corrupt(first.position, {ErrorCode::malformed, damage, {}});
  if (batches.empty())
    return corrupt(first.position, {ErrorCode::malformed, "segment file ends inside a record batch", {}});
  set_cursor(expected, first.position + at);
  return Batches{std::move(batches), {}, expected, records};
}

Result<std::optional<TimestampMatch>> Segment::time_entry_below(const SegmentState& state, std::int64_t timestamp_ms) {
  MR_TRY_ASSIGN(const std::shared_ptr<io::File> time_file, file(time_index));
  std::optional<TimestampMatch> best;
  std::uint32_t low = 0;
  std::uint32_t high = state.time_entries;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    std::uint8_t entry[kTimeEntryBytes];
    MR_TRY_ASSIGN(const std::size_t got, time_file->read_at(middle * kTimeEntryBytes, entry));
    if (got < sizeof entry) return std::nullopt;
    const auto timestamp = load_be<std::int64_t>(entry);
    if (timestamp < timestamp_ms) {
      best = {timestamp, base_ + load_be<std::int32_t>(entry + 8)};
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (best && (best->offset < base_ || best->offset >= state.next)) return std::nullopt;
  return best;
}

Result<std::optional<TimestampMatch>> Segment::find_timestamp(const SegmentState& state, std::int64_t timestamp_ms,
                                                              Offset from) {
  MR_TRY_ASSIGN(const std::shared_ptr<io::File> log_file, file(log));
  // The newest time index entry below the timestamp: everything up to its batch is older than what is looked for. An
  // entry that does not tell its batch's timestamp is damaged; then the walk begins where nothing can be missed.
  std::optional<TimestampMatch> entry;
  if (state.time_entries > 0) {
    MR_TRY_ASSIGN(entry, time_entry_below(state, timestamp_ms));
  }
  MR_TRY_ASSIGN(BatchAt first, locate(*log_file, state, std::max(from, base_)));
  if (entry && entry->offset > from) {
    MR_TRY_ASSIGN(const BatchAt hinted, locate(*log_file, state, entry->offset));
    if (hinted.header.last_offset() == entry->offset && hinted.header.max_timestamp == entry->timestamp_ms)
      first = hinted;
  }
  BatchWalker walker(*log_file, first.position, state.size, first.header.base_offset);
  for (;;) {
    const auto found = walker.next();
    if (!found) return corrupt(walker.position(), found.error());
    if (!*found) return std::nullopt;
    const BatchAt& batch = **found;
    if (batch.header.last_offset() < from) continue;
    // Also of a batch that is passed over: its timestamp is only as good as its CRC.
    const auto bytes = walker.payload(batch);
    if (!bytes) return corrupt(batch.position, bytes.error());
    if (!batch_crc_matches(*bytes)) {
      return corrupt(batch.position, {ErrorCode::malformed, "record batch CRC does not match", {}});
    }
    if (const auto match = find_in_batch(batch.header, *bytes, timestamp_ms, from)) return match;
  }
}

}  // namespace millrace::storage
