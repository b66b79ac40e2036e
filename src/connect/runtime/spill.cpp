#include "connect/runtime/spill.h"

#include <malloc.h>

#include <iterator>

#include "codec/crc32c.h"

namespace millrace::connect {
namespace {

/// Free places that are looked at before the file grows.
constexpr int kLooks = 64;
constexpr std::chrono::seconds kGiveBackAgain{1};

}  // namespace

SpillFile::~SpillFile() {
  room_.add(-static_cast<std::int64_t>(end_));
}

std::optional<std::uint64_t> SpillFile::reuse(std::uint64_t size) {
  int looks = kLooks;
  for (auto range = free_.begin(); range != free_.end() && looks-- > 0; ++range) {
    if (range->second < size) continue;
    const auto [offset, length] = *range;
    free_.erase(range);
    if (length > size) free_[offset + size] = length - size;
    return offset;
  }
  return std::nullopt;
}

Result<SpillExtent> SpillFile::write(ByteView bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  const auto reused = reuse(bytes.size());
  if (!reused && room_.add(size) == MemoryLevel::over) {
    room_.add(-size);
    return fail(ErrorCode::disk_full, "connect.spill.bytes are used up");
  }
  const std::uint64_t offset = reused.value_or(end_);
  if (!reused) end_ += bytes.size();
  if (auto written = file_->write_at(offset, bytes); !written) {
    free(offset, bytes.size());
    return std::unexpected<Error>(std::move(written).error());
  }
  return SpillExtent{offset, static_cast<std::uint32_t>(bytes.size()), crc32c(bytes)};
}

Result<void> SpillFile::read(const SpillExtent& extent, Buffer& into) {
  const std::size_t before = into.size();
  const MutableByteView room{into.prepare(extent.size), extent.size};
  MR_TRY_ASSIGN(const std::size_t count, file_->read_at(extent.offset, room));
  if (count != extent.size || crc32c(room) != extent.crc) {
    return fail(ErrorCode::corrupt, "what was spilled to disk came back changed");
  }
  into.resize(before + count);
  return {};
}

void SpillFile::release(const SpillExtent& extent) {
  free(extent.offset, extent.size);
}

void SpillFile::free(std::uint64_t offset, std::uint64_t size) {
  const auto behind = free_.lower_bound(offset);
  if (behind != free_.end() && behind->first == offset + size) {
    size += behind->second;
    free_.erase(behind);
  }
  if (const auto next = free_.lower_bound(offset); next != free_.begin()) {
    if (const auto before = std::prev(next); before->first + before->second == offset) {
      offset = before->first;
      size += before->second;
      free_.erase(before);
    }
  }
  if (offset + size != end_) {
    free_[offset] = size;
    return;
  }
  // A file that cannot be cut back is written over; what it takes of the disk is counted all the same.
  if (!file_->truncate(offset)) {
    free_[offset] = size;
    return;
  }
  end_ = offset;
  room_.add(-static_cast<std::int64_t>(size));
}

Result<std::unique_ptr<SpillFile>> SpillFolder::make_file() {
  if (room_.used() >= room_.limit()) return fail(ErrorCode::disk_full, "connect.spill.bytes are used up");
  MR_TRY(files_.make_directory(path_));
  // A name that a crash left between these two lines is opened again by one of the next processes.
  const std::string name = path_ + "/" + std::to_string(next_.fetch_add(1));
  MR_TRY_ASSIGN(auto file, files_.open(name, io::OpenMode::create));
  MR_TRY(files_.remove_file(name));
  return std::make_unique<SpillFile>(std::move(file), room_);
}

void SpillFolder::give_back_memory([[maybe_unused]] MonoTime now) {
#ifdef __GLIBC__
  MonoTime from = give_back_from_.load(std::memory_order_relaxed);
  if (now < from || !give_back_from_.compare_exchange_strong(from, now + kGiveBackAgain)) return;
  malloc_trim(0);
#endif
}

}  // namespace millrace::connect
