#include "sim/sim_file.h"

#include <algorithm>
#include <utility>

namespace millrace::sim {

using io::Operation;

SimFile::SimFile(SimDisk& disk, std::shared_ptr<SimInode> inode, std::string path, bool writable, bool holds_lock)
    : disk_(disk),
      inode_(std::move(inode)),
      path_(std::move(path)),
      epoch_(disk.epoch_),
      writable_(writable),
      holds_lock_(holds_lock),
      failures_told_(inode_->failures) {
  ++inode_->handles;
  ++disk_.open_files_;
}

SimFile::~SimFile() {
  if (epoch_ != disk_.epoch_) return;  // the restart closed it
  --inode_->handles;
  --disk_.open_files_;
  if (holds_lock_) inode_->locked = false;
  disk_.uncharge_if_gone(*inode_);
}

Result<void> SimFile::alive() const {
  if (!disk_.running_) return disk_.stopped_failure();
  if (epoch_ != disk_.epoch_) return fail(ErrorCode::io_error, "file of a process that died", path_);
  return {};
}

Result<SimDisk::Fate> SimFile::begin(Operation kind, std::uint64_t a, std::uint64_t b) {
  MR_TRY(alive());
  if (!writable_ && kind != Operation::sync) return fail(ErrorCode::io_error, "file is open for reading", path_);
  return disk_.begin(kind, path_, a, b);
}

Result<std::size_t> SimFile::read_at(std::uint64_t offset, MutableByteView into) {
  MR_TRY(alive());
  if (disk_.hook_) disk_.hook_(Operation::read);
  MR_TRY(alive());
  const auto& content = inode_->content;
  if (offset >= content.size()) return std::size_t{0};
  const std::size_t count = std::min<std::uint64_t>(into.size(), content.size() - offset);
  std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
  return count;
}

Result<void> SimFile::write_at(std::uint64_t offset, std::span<const ByteView> pieces) {
  std::vector<std::uint8_t> bytes;
  for (const ByteView piece : pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
  if (bytes.empty()) return alive();
  MR_TRY_ASSIGN(const SimDisk::Fate fate, begin(Operation::write, offset, bytes.size()));
  if (fate == SimDisk::Fate::cut_before) return disk_.finish(fate);
  if (!disk_.charge(*inode_, std::max<std::uint64_t>(inode_->content.size(), offset + bytes.size()))) {
    // The kernel writes what has room and says so only at the next call.
    const std::uint64_t room = inode_->charged > offset ? inode_->charged - offset : 0;
    inode_->write(offset, ByteView(bytes).first(std::min<std::uint64_t>(room, bytes.size())));
    return fail(ErrorCode::disk_full, "write", disk_.describe(path_));
  }
  inode_->write(offset, bytes);
  return disk_.finish(fate);
}

Result<void> SimFile::sync_data() {
  MR_TRY_ASSIGN(const SimDisk::Fate fate, begin(Operation::sync));
  if (++disk_.syncs_ == disk_.failing_sync_) inode_->fail_sync(disk_.rng_, disk_.evict_on_failed_sync_);
  // A write that failed is told to everyone who had the file open, once, whoever asked for it (Linux 4.13).
  if (std::exchange(failures_told_, inode_->failures) != inode_->failures) {
    return fail(ErrorCode::io_error, "fdatasync", disk_.describe(path_));
  }
  if (fate != SimDisk::Fate::cut_before) inode_->sync();
  return disk_.finish(fate);
}

Result<void> SimFile::truncate(std::uint64_t size) {
  MR_TRY_ASSIGN(const SimDisk::Fate fate, begin(Operation::truncate, size));
  if (fate != SimDisk::Fate::cut_before && size != inode_->content.size()) {
    if (size < inode_->content.size()) inode_->reserved = std::min(inode_->reserved, size);
    // Growing by truncate makes a hole: no blocks, no charge until written. Charged all the same, as the log never
    // wants holes.
    if (!disk_.charge(*inode_, size)) return fail(ErrorCode::disk_full, "truncate", disk_.describe(path_));
    inode_->resize(size);
  }
  return disk_.finish(fate);
}

Result<void> SimFile::reserve(std::uint64_t offset, std::uint64_t length) {
  MR_TRY_ASSIGN(const SimDisk::Fate fate, begin(Operation::reserve, offset, length));
  if (fate != SimDisk::Fate::cut_before) {
    const std::uint64_t reserved = std::max(inode_->reserved, offset + length);
    if (!disk_.charge(*inode_, std::max<std::uint64_t>(reserved, inode_->content.size()))) {
      return fail(ErrorCode::disk_full, "reserve", disk_.describe(path_));
    }
    inode_->reserved = reserved;
  }
  return disk_.finish(fate);
}

void SimFile::start_writeback(std::uint64_t, std::uint64_t) {}

Result<std::uint64_t> SimFile::size() {
  MR_TRY(alive());
  return std::uint64_t{inode_->content.size()};
}

}  // namespace millrace::sim
