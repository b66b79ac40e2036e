#include "io/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/assert.h"
#include "io/posix_error.h"

namespace millrace::io {
namespace {

// Pieces handed to one pwritev. Linux allows IOV_MAX = 1024; fewer keep the array on the stack small.
constexpr std::size_t kPiecesPerCall = 256;

// The pieces from `first` on, without the `skip` bytes of it that are written already, as far as one call takes them.
std::size_t gather(std::span<const ByteView> pieces, std::size_t first, std::size_t skip,
                   std::array<iovec, kPiecesPerCall>& into) {
  std::size_t count = 0;
  for (std::size_t i = first; i < pieces.size() && count < kPiecesPerCall; ++i) {
    const ByteView rest = pieces[i].subspan(i == first ? skip : 0);
    if (rest.empty()) continue;
    into[count++] = {const_cast<std::uint8_t*>(rest.data()), rest.size()};
  }
  return count;
}

}  // namespace

PosixFile::~PosixFile() {
  if (direct_descriptor_ >= 0) ::close(direct_descriptor_);
  ::close(descriptor_);
}

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, MutableByteView into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(descriptor_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0) {
      if (errno == EINTR) continue;
      return posix_failure("read", path_, errno);
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> PosixFile::write_at(std::uint64_t offset, std::span<const ByteView> pieces) {
  std::array<iovec, kPiecesPerCall> vectors;
  std::size_t first = 0;
  std::size_t skip = 0;
  while (true) {
    while (first < pieces.size() && skip == pieces[first].size()) {
      ++first;
      skip = 0;
    }
    if (first == pieces.size()) return {};
    const std::size_t count = gather(pieces, first, skip, vectors);
    const ssize_t wrote = ::pwritev(descriptor_, vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return posix_failure("write", path_, errno);
    }
    if (wrote == 0) return posix_failure("write", path_, EIO);  // no progress and no reason: never loop on it
    offset += static_cast<std::uint64_t>(wrote);
    auto left = static_cast<std::size_t>(wrote);
    while (left != 0) {
      const std::size_t step = std::min(left, pieces[first].size() - skip);
      left -= step;
      skip += step;
      if (skip == pieces[first].size()) {
        ++first;
        skip = 0;
      }
    }
  }
}

bool PosixFile::open_direct() {
  if (direct_ == Direct::untried) {
    // By the descriptor and not by the path: the file may have been renamed.
    const std::string self = "/proc/self/fd/" + std::to_string(descriptor_);
    direct_descriptor_ = ::open(self.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
    direct_ = direct_descriptor_ >= 0 ? Direct::open : Direct::refused;
  }
  return direct_ == Direct::open;
}

// Past the page cache, as far as that goes; what is left is for the page cache.
Result<ByteView> PosixFile::write_direct(int descriptor, std::uint64_t offset, ByteView blocks) {
  while (!blocks.empty()) {
    const ssize_t wrote = ::pwrite(descriptor, blocks.data(), blocks.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EINVAL) {
      direct_ = Direct::refused;  // a device with larger blocks
      break;
    }
    if (wrote < 0) return posix_failure("write", path_, errno);
    const auto count = static_cast<std::size_t>(wrote);
    offset += count;
    blocks = blocks.subspan(count);
    // The rest of a short write tells why when it is tried; a part of a block goes through the page cache.
    if (count == 0 || count % kBlockSize != 0) break;
  }
  return blocks;
}

Result<void> PosixFile::write_blocks(std::uint64_t offset, ByteView blocks) {
  MR_ASSERT(offset % kBlockSize == 0 && blocks.size() % kBlockSize == 0);
  MR_ASSERT(reinterpret_cast<std::uintptr_t>(blocks.data()) % kBlockSize == 0);
  ByteView rest = blocks;
  if (blocks_ ? direct_ != Direct::refused : open_direct()) {
    MR_TRY_ASSIGN(rest, write_direct(blocks_ ? descriptor_ : direct_descriptor_, offset, blocks));
  }
  if (rest.empty()) return {};
  // What the descriptor past the page cache does not take, it takes as any other.
  if (blocks_) ::fcntl(descriptor_, F_SETFL, 0);
  return File::write_at(offset + (blocks.size() - rest.size()), rest);
}

Result<void> PosixFile::sync_data() {
  if (::fdatasync(descriptor_) != 0) {
    // ENOSPC here (delayed allocation) comes after pages may have been dropped: as final as EIO, never "try again
    // later".
    return posix_failure("fdatasync", path_, errno == ENOSPC || errno == EDQUOT ? EIO : errno);
  }
  return {};
}

Result<void> PosixFile::truncate(std::uint64_t size) {
  while (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) return posix_failure("truncate", path_, errno);
  }
  return {};
}

Result<void> PosixFile::reserve(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return {};
  while (::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return {};
    return posix_failure("reserve", path_, errno);
  }
  return {};
}

void PosixFile::start_writeback(std::uint64_t offset, std::uint64_t length) {
  // A hint: an error it hits shows again at sync_data().
  ::sync_file_range(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE);
}

Result<std::uint64_t> PosixFile::size() {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return posix_failure("size", path_, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace millrace::io
