#include "io/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "io/path.h"
#include "io/posix_error.h"
#include "io/posix_file.h"

namespace millrace::io {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::read_only:
      return O_RDONLY;
    case OpenMode::read_write:
      return O_RDWR;
    case OpenMode::create:
      return O_RDWR | O_CREAT;
    case OpenMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::blocks:
      return O_WRONLY | O_DIRECT;
  }
  return O_RDONLY;
}

Result<int> open_descriptor(const std::string& path, int flags) {
  while (true) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);
    if (descriptor >= 0) return descriptor;
    if (errno != EINTR) return posix_failure("open", path, errno);
  }
}

// Makes `path` and what is missing above it.
Result<void> make_all(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) return {};
  if (errno == ENOENT) {
    const std::string parent(parent_path(path));
    if (parent.empty() || parent == path) return posix_failure("make directory", path, ENOENT);
    MR_TRY(make_all(parent));
    if (::mkdir(path.c_str(), kDirectoryMode) == 0) return {};
  }
  if (errno == EEXIST) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
    return posix_failure("make directory", path, ENOTDIR);
  }
  return posix_failure("make directory", path, errno);
}

}  // namespace

Result<std::unique_ptr<PosixFileSystem>> PosixFileSystem::open(std::string root) {
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  if (root.empty()) root = ".";
  MR_TRY(make_all(root));
  MR_TRY_ASSIGN(const int descriptor, open_descriptor(root, O_RDONLY | O_DIRECTORY));
  return std::unique_ptr<PosixFileSystem>(new PosixFileSystem(std::move(root), descriptor));
}

PosixFileSystem::~PosixFileSystem() {
  ::close(root_descriptor_);
}

Result<std::string> PosixFileSystem::resolve(std::string_view path) const {
  MR_TRY(check_path(path));
  return describe(path);
}

std::string PosixFileSystem::describe(std::string_view path) const {
  if (path.empty()) return root_;
  std::string full = root_;
  if (full.back() != '/') full += '/';
  full += path;
  return full;
}

Result<std::unique_ptr<File>> PosixFileSystem::open(std::string_view path, OpenMode mode) {
  MR_TRY_ASSIGN(std::string full, resolve(path));
  auto descriptor = open_descriptor(full, open_flags(mode));
  if (mode == OpenMode::blocks && !descriptor && descriptor.error().code != ErrorCode::not_found) {
    descriptor = open_descriptor(full, O_WRONLY);  // a file system without O_DIRECT
  }
  if (!descriptor) return std::unexpected(descriptor.error());
  return std::make_unique<PosixFile>(*descriptor, std::move(full), mode == OpenMode::blocks);
}

void PosixFileSystem::write_blocks_of(std::span<BlockWrite> writes) {
  writers_.run(writes.size(), [writes](std::size_t i) {
    writes[i].done = writes[i].file->write_blocks(writes[i].offset, writes[i].blocks);
  });
}

Result<void> PosixFileSystem::rename(std::string_view from, std::string_view to) {
  MR_TRY_ASSIGN(const std::string source, resolve(from));
  MR_TRY_ASSIGN(const std::string target, resolve(to));
  if (::rename(source.c_str(), target.c_str()) != 0) return posix_failure("rename", source + " to " + target, errno);
  return {};
}

Result<void> PosixFileSystem::remove_file(std::string_view path) {
  MR_TRY_ASSIGN(const std::string full, resolve(path));
  if (::unlink(full.c_str()) != 0) return posix_failure("remove", full, errno);
  return {};
}

Result<void> PosixFileSystem::remove_tree(std::string_view path) {
  MR_TRY_ASSIGN(const std::string full, resolve(path));
  std::error_code error;
  const auto removed = std::filesystem::remove_all(full, error);
  if (error) return posix_failure("remove tree", full, error.value());
  if (removed == 0) return posix_failure("remove tree", full, ENOENT);
  return {};
}

Result<void> PosixFileSystem::make_directory(std::string_view path) {
  MR_TRY_ASSIGN(const std::string full, resolve(path));
  return make_all(full);
}

Result<void> PosixFileSystem::sync_directory(std::string_view path) {
  MR_TRY_ASSIGN(const std::string full, resolve(path));
  MR_TRY_ASSIGN(const int descriptor, open_descriptor(full, O_RDONLY | O_DIRECTORY));
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (error != 0) return posix_failure("sync directory", full, error == ENOSPC || error == EDQUOT ? EIO : error);
  return {};
}

Result<void> PosixFileSystem::sync_all() {
  if (::syncfs(root_descriptor_) != 0) {
    return posix_failure("syncfs", root_, errno == ENOSPC || errno == EDQUOT ? EIO : errno);
  }
  return {};
}

Result<std::vector<std::string>> PosixFileSystem::list(std::string_view path) {
  MR_TRY_ASSIGN(const std::string full, resolve(path));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(full.c_str()), ::closedir);
  if (directory == nullptr) return posix_failure("list", full, errno);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return posix_failure("list", full, errno);
  std::sort(names.begin(), names.end());
  return names;
}

bool PosixFileSystem::exists(std::string_view path) {
  const auto full = resolve(path);
  return full && ::access(full->c_str(), F_OK) == 0;
}

Result<std::uint64_t> PosixFileSystem::file_size(std::string_view path) {
  MR_TRY_ASSIGN(const std::string full, resolve(path));
  struct stat status{};
  if (::stat(full.c_str(), &status) != 0) return posix_failure("size", full, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::unique_ptr<File>> PosixFileSystem::lock(std::string_view path) {
  MR_TRY_ASSIGN(std::string full, resolve(path));
  MR_TRY_ASSIGN(const int descriptor, open_descriptor(full, O_RDWR | O_CREAT));
  auto file = std::make_unique<PosixFile>(descriptor, full, false);
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
    if (errno == EAGAIN || errno == EACCES) {
      return fail(ErrorCode::locked, "another process has this data directory open; stop it first", full);
    }
    return posix_failure("lock", full, errno);
  }
  return file;
}

Result<std::uint64_t> PosixFileSystem::free_bytes() {
  struct statvfs status{};
  if (::statvfs(root_.c_str(), &status) != 0) return posix_failure("free space", root_, errno);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<std::uint64_t> PosixFileSystem::total_bytes() {
  struct statvfs status{};
  if (::statvfs(root_.c_str(), &status) != 0) return posix_failure("volume size", root_, errno);
  return static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize;
}

}  // namespace millrace::io
