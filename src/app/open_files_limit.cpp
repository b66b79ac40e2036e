#include "app/open_files_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace millrace::app {
namespace {

constexpr std::size_t kFewest = 64;
constexpr std::size_t kMost = 16384;      // more open files are memory of the kernel without a gain
constexpr std::size_t kIfUnknown = 1024;  // what POSIX systems begin with

}  // namespace

std::size_t raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kIfUnknown;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return static_cast<std::size_t>(::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before);
}

std::size_t segment_open_files(std::size_t configured, std::size_t limit) {
  return configured != 0 ? configured : std::clamp(limit / 2, kFewest, kMost);
}

}  // namespace millrace::app
