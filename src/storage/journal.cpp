#include "storage/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/durable_file.h"

namespace millrace::storage {
namespace {

// Start-up pays for the zeros of the first file, so it is small; the others are zeroed behind.
constexpr std::uint64_t kFirstFileBytes = 1_MiB;
constexpr std::uint64_t kZeroPiece = 1_MiB;
constexpr std::size_t kReadyFiles = 2;  // fewer: more are made ready, up to ...
constexpr std::size_t kMostReady = 4;   // ... so many; a start reads through those that took no group yet
constexpr std::string_view kZeroingPath = "journal/zeroing.tmp";
constexpr std::string_view kSuffix = ".journal";
constexpr MonoTime kRetryAfterFull = std::chrono::seconds(1);
constexpr std::uint64_t kMostReserve = 256_KiB;

alignas(io::kBlockSize) constexpr std::uint8_t kZeros[256_KiB] = {};

}  // namespace

std::string journal_path(Generation generation) {
  return fmt::format("{}/{:020}{}", kJournalDirectory, generation.value(), kSuffix);
}

std::optional<Generation> parse_journal_name(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  std::uint64_t value = 0;
  const auto result = std::from_chars(name.data(), name.data() + name.size(), value);
  if (name.size() != 20 || result.ec != std::errc{} || result.ptr != name.data() + name.size()) return std::nullopt;
  return Generation(value);
}

Generation Journal::take_generation() {
  const std::scoped_lock lock(mutex_);
  const Generation taken = next_generation_;
  ++next_generation_;
  return taken;
}

Result<void> Journal::start(std::span<const JournalFile> found, GroupSequence next, Generation generation) {
  next_ = next;
  next_generation_ = std::max(next_generation_, generation);
  if (files_.exists(kZeroingPath)) MR_TRY(files_.remove_file(kZeroingPath));
  std::optional<JournalFile> reusable;
  for (const JournalFile& file : found) {
    next_generation_ = std::max(next_generation_, file.generation + 1);
    total_bytes_ += file.size;
    if (file.live) {
      live_.push_back(file);
    } else if (!reusable && file.size >= round_to_block(1)) {
      reusable = file;
    } else {
      free_.push_back(file);
    }
  }
  // A journal that was full when the process died must not keep the log from opening, so this file may pass the limit.
  // Always a new life: whatever an interrupted commit left behind in any file belongs to an older generation.
  auto ready = reusable
                   ? recycle(*reusable)
                   : make_file(round_to_block(std::min<std::uint64_t>(kFirstFileBytes, options_.journal_file_bytes)),
                               Limit::may_pass);
  if (!ready) return std::unexpected(ready.error());
  current_ = {ready->generation, std::move(ready->file), ready->size, 0};
  published_ = {{current_.generation, 0, next_}, 0};
  return {};
}

Result<void> Journal::sync_live() {
  for (const JournalFile& live : live_) {
    MR_TRY_ASSIGN(const auto file, files_.open(journal_path(live.generation), io::OpenMode::read_write));
    MR_TRY(sync_file(*file));
  }
  return {};
}

Result<void> Journal::write_zeros(io::File& file, std::uint64_t from, std::uint64_t to) {
  while (from < to) {
    const std::uint64_t count = std::min<std::uint64_t>(sizeof kZeros, to - from);
    MR_TRY(file.write_blocks(from, ByteView(kZeros, count)));
    from += count;
  }
  return {};
}

// A file of zeros, named and durable, made at once: at the first start, and when the log thread outran the segment
// writer.
Result<Journal::Ready> Journal::make_file(std::uint64_t size, Limit limit) {
  const Generation generation = take_generation();
  const std::string path = journal_path(generation);
  {
    const std::scoped_lock lock(mutex_);
    if (limit == Limit::holds && total_bytes_ + size > options_.journal_max_bytes) {
      refused_ = true;
      return fail(ErrorCode::disk_full, "journal is full until segments caught up (journal_max_bytes)");
    }
    total_bytes_ += size;
  }
  const auto make = [&]() -> Result<std::unique_ptr<io::File>> {
    MR_TRY_ASSIGN(auto file, files_.open(path, io::OpenMode::create));
    MR_TRY(write_zeros(*file, 0, size));
    MR_TRY(sync_file(*file));
    MR_TRY(sync_names(files_, kJournalDirectory, options_.bugs));
    return file;
  };
  auto file = make();
  if (!file) {
    (void)files_.remove_file(path);
    const std::scoped_lock lock(mutex_);
    total_bytes_ -= size;
    return std::unexpected(file.error());
  }
  return Ready{generation, size, std::move(*file)};
}

Result<JournalFile> Journal::rename_to_new_life(const JournalFile& file) {
  const Generation generation = take_generation();
  MR_TRY(files_.rename(journal_path(file.generation), journal_path(generation)));
  return JournalFile{generation, file.size, false};
}

Result<Journal::Ready> Journal::open_ready(const JournalFile& file) {
  auto opened = files_.open(journal_path(file.generation), io::OpenMode::read_write);
  if (!opened) return fail(ErrorCode::io_error, "recycled journal file does not open", opened.error().message());
  return Ready{file.generation, file.size, std::move(*opened)};
}

Result<Journal::Ready> Journal::recycle(const JournalFile& file) {
  MR_TRY_ASSIGN(const JournalFile renamed, rename_to_new_life(file));
  MR_TRY(sync_names(files_, kJournalDirectory, options_.bugs));
  return open_ready(renamed);
}

// Several of the files that a checkpoint freed together: their names become durable with one sync, and each such sync
// makes the file system commit its own journal, which holds up ours.
Result<bool> Journal::recycle_free() {
  std::vector<JournalFile> spares;
  {
    const std::scoped_lock lock(mutex_);
    const auto wanted =
        std::partition(free_.begin(), free_.end(), [&](const JournalFile& file) { return !small(file); });
    const auto full = static_cast<std::size_t>(wanted - free_.begin());
    // One stays for the log thread, should it need a file meanwhile.
    const std::size_t spared = full > 1 ? full - 1 : full;
    const std::size_t room = kMostReady - std::min(kMostReady, ready_.size());
    const auto from = free_.begin() + static_cast<std::ptrdiff_t>(full - std::min(spared, room));
    spares.assign(from, free_.end());
    free_.erase(from, free_.end());
  }
  std::vector<JournalFile> renamed;
  Result<void> done;
  while (!spares.empty()) {
    // A file that is too small (the first one) goes; all others wait for their next life.
    if (small(spares.back())) {
      done = files_.remove_file(journal_path(spares.back().generation));
      if (!done) break;
      const std::scoped_lock lock(mutex_);
      total_bytes_ -= spares.back().size;
    } else {
      auto file = rename_to_new_life(spares.back());
      if (!file) done = std::unexpected(file.error());
      if (!done) break;
      renamed.push_back(*file);
    }
    spares.pop_back();
  }
  if (!renamed.empty()) MR_TRY(sync_names(files_, kJournalDirectory, options_.bugs));
  std::vector<Ready> ready;
  for (const JournalFile& file : renamed) {
    MR_TRY_ASSIGN(Ready opened, open_ready(file));
    ready.push_back(std::move(opened));
  }
  const std::scoped_lock lock(mutex_);
  free_.insert(free_.end(), spares.begin(), spares.end());
  for (Ready& file : ready) ready_.push_back(std::move(file));
  if (!done) return std::unexpected(done.error());
  return true;
}

Result<void> Journal::move_to_next_file(std::uint64_t need) {
  if (need > options_.journal_max_bytes) return fail(ErrorCode::too_large, "commit is larger than journal_max_bytes");
  std::optional<Ready> next;
  std::optional<JournalFile> spare;
  {
    const std::scoped_lock lock(mutex_);
    const auto ready = std::ranges::find_if(ready_, [&](const Ready& file) { return file.size >= need; });
    if (ready != ready_.end()) {
      next = std::move(*ready);
      ready_.erase(ready);
    } else if (const auto free =
                   std::ranges::find_if(free_, [&](const JournalFile& file) { return file.size >= need; });
               free != free_.end()) {
      spare = *free;
      free_.erase(free);
    }
  }
  if (!next) {
    if (!spare) MR_TRY(make_room(need));
    auto made =
        spare ? recycle(*spare)
              : make_file(std::max(
                    need, round_to_block(std::min<std::uint64_t>(4 * kFirstFileBytes, options_.journal_file_bytes))));
    if (!made) {
      if (spare) {
        const std::scoped_lock lock(mutex_);
        free_.push_back(*spare);
      }
      return std::unexpected(made.error());
    }
    next = std::move(*made);
  }
  const std::scoped_lock lock(mutex_);
  live_.push_back({current_.generation, current_.size, true});
  current_ = {next->generation, std::move(next->file), next->size, 0};
  return {};
}

// A group larger than every file there is: files that hold nothing make way for one that fits.
Result<void> Journal::make_room(std::uint64_t need) {
  for (;;) {
    Generation victim;
    {
      const std::scoped_lock lock(mutex_);
      if (total_bytes_ + need <= options_.journal_max_bytes) return {};
      if (!free_.empty()) {
        victim = free_.back().generation;
        total_bytes_ -= free_.back().size;
        free_.pop_back();
      } else if (!ready_.empty()) {
        victim = ready_.back().generation;
        total_bytes_ -= ready_.back().size;
        ready_.pop_back();
      } else {
        return {};
      }
    }
    MR_TRY(files_.remove_file(journal_path(victim)));
  }
}

std::uint64_t Journal::changes_reserve() const {
  return std::min(kMostReserve, round_to_block(options_.journal_file_bytes / 64));
}

Result<void> Journal::write(GroupEncoder& group, std::span<const ByteView> batches, std::int64_t wall_ms) {
  const std::uint64_t total = group.total_bytes();
  MonoTime started = clock_.mono();
  const auto lap = [&](metrics::Histogram& histogram) {
    const MonoTime now = clock_.mono();
    histogram.observe(now - std::exchange(started, now));
  };
  const std::uint64_t need = total + (batches.empty() ? 0 : changes_reserve());
  if (current_.size - current_.offset < need) {
    MR_TRY(move_to_next_file(need));
    lap(metrics_.journal_switch_seconds);
  }
  const ByteView head = group.finish(salt_, current_.generation, next_, wall_ms);
  pieces_.clear();
  pieces_.push_back(head);
  pieces_.insert(pieces_.end(), batches.begin(), batches.end());
  const std::size_t padding = total - head.size() - group.payload_bytes();
  if (padding > 0) pieces_.emplace_back(kZeros, padding);
  MR_TRY(current_.file->write_at(current_.offset, pieces_));
  lap(metrics_.journal_write_seconds);
  if (!options_.bugs.skip_sync) {
    MR_TRY(sync_file(*current_.file));
  }
  lap(metrics_.journal_sync_seconds);
  current_.offset += total;
  ++next_;
  written_bytes_ += total;
  return {};
}

void Journal::after_publish() {
  const std::scoped_lock lock(mutex_);
  published_ = {{current_.generation, current_.offset, next_}, written_bytes_};
}

Result<bool> Journal::prepare() {
  bool spare = false;
  {
    const std::scoped_lock lock(mutex_);
    spare = !free_.empty() && (ready_.size() < kReadyFiles ||
                               std::ranges::any_of(free_, [&](const JournalFile& file) { return small(file); }));
    if (!spare && zeroing_.file == nullptr) {
      if (ready_.size() >= kReadyFiles || !free_.empty()) return false;
      if (total_bytes_ + options_.journal_file_bytes > options_.journal_max_bytes) return false;
      if (clock_.mono() < zeroing_not_before_) return false;
    }
  }
  if (spare) return recycle_free();
  const auto zeroed = zero_a_piece();
  if (!zeroed && zeroed.error().code == ErrorCode::disk_full) {
    zeroing_not_before_ = clock_.mono() + kRetryAfterFull;
    return false;
  }
  return zeroed;
}

Result<bool> Journal::zero_a_piece() {
  if (!zeroing_.file) {
    const std::uint64_t size = round_to_block(options_.journal_file_bytes);
    MR_TRY_ASSIGN(zeroing_.file, files_.open(kZeroingPath, io::OpenMode::create));
    zeroing_.size = size;
    zeroing_.done = 0;
    const std::scoped_lock lock(mutex_);
    total_bytes_ += size;
  }
  const auto give_up = [&](const Error& error) -> std::unexpected<Error> {
    zeroing_.file.reset();
    (void)files_.remove_file(kZeroingPath);
    const std::scoped_lock lock(mutex_);
    total_bytes_ -= zeroing_.size;
    return std::unexpected(error);
  };
  if (zeroing_.done < zeroing_.size) {
    const std::uint64_t to = std::min(zeroing_.size, zeroing_.done + kZeroPiece);
    if (const auto written = write_zeros(*zeroing_.file, zeroing_.done, to); !written) return give_up(written.error());
    zeroing_.done = to;
    return true;
  }
  if (const auto synced = sync_file(*zeroing_.file); !synced) return give_up(synced.error());
  const Generation generation = take_generation();
  if (const auto named = files_.rename(kZeroingPath, journal_path(generation)); !named) return give_up(named.error());
  Ready ready{generation, zeroing_.size, std::move(zeroing_.file)};
  MR_TRY(sync_names(files_, kJournalDirectory, options_.bugs));
  const std::scoped_lock lock(mutex_);
  ready_.push_back(std::move(ready));
  return true;
}

Journal::Published Journal::published() const {
  const std::scoped_lock lock(mutex_);
  return published_;
}

void Journal::release_before(const Published& mark) {
  const std::scoped_lock lock(mutex_);
  released_bytes_ = mark.bytes;
  refused_ = false;
  while (!live_.empty() && live_.front().generation != mark.position.generation) {
    free_.push_back(live_.front());
    live_.pop_front();
  }
}

std::uint64_t Journal::bytes_since_release() const {
  const std::scoped_lock lock(mutex_);
  return published_.bytes - released_bytes_;
}

bool Journal::nearly_full() const {
  const std::scoped_lock lock(mutex_);
  return refused_ || (published_.bytes - released_bytes_) > options_.journal_max_bytes / 4 * 3;
}

std::uint64_t Journal::total_bytes() const {
  const std::scoped_lock lock(mutex_);
  return total_bytes_;
}

Generation Journal::next_generation() const {
  const std::scoped_lock lock(mutex_);
  return next_generation_;
}

}  // namespace millrace::storage
