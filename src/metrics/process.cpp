#include "metrics/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace millrace::metrics {
namespace {

std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0;
  unsigned long long resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::uint64_t open_fds() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  std::uint64_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  constexpr std::uint64_t kNotCounted = 3;  // ".", ".." and the directory's own descriptor
  return count > kNotCounted ? count - kNotCounted : 0;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage usage;
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0) usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  usage.resident_bytes = resident_bytes();
  usage.open_fds = open_fds();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = limit.rlim_cur;
  return usage;
}

void register_process_metrics(Registry& registry, const Clock& clock, const BuildIdentity& build) {
  const auto one = [](double (*read)()) {
    return [read] { return std::vector<Registry::Sample>{{Labels{}, read()}}; };
  };
  registry.collect_counter("millrace_process_cpu_seconds_total", "User and system CPU time of this process",
                           one([] { return process_usage().cpu_seconds; }));
  registry.collect_gauge("millrace_process_resident_bytes", "Memory of this process in RAM",
                         one([] { return static_cast<double>(process_usage().resident_bytes); }));
  registry.collect_gauge("millrace_process_open_fds", "Open file descriptors",
                         one([] { return static_cast<double>(process_usage().open_fds); }));
  registry.collect_gauge("millrace_process_max_fds", "File descriptors this process may have open",
                         one([] { return static_cast<double>(process_usage().max_fds); }));
  const double start = static_cast<double>(clock.wall().count()) / 1e3;
  registry.collect_gauge("millrace_process_start_time_seconds", "When this process started, in seconds since 1970",
                         [start] { return std::vector<Registry::Sample>{{Labels{}, start}}; });
  registry
      .gauge("millrace_build_info", "Always 1; the labels tell which build runs",
             {{"version", build.version}, {"commit", build.commit}, {"compiler", __VERSION__}})
      .set(1);
}

}  // namespace millrace::metrics
