#include "load/process_use.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "base/clock.h"

namespace millrace::load {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// The number behind `name` in a "Name:  123 kB" file, or 0.
double number_behind(const std::string& text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return 0;
  return std::strtod(text.c_str() + at + name.size(), nullptr);
}

}  // namespace

Result<ProcessUse> sample_processes(const std::vector<int>& pids) {
  ProcessUse use;
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const int pid : pids) {
    const std::string folder = fmt::format("/proc/{}/", pid);
    const std::string stat = read_all(folder + "stat");
    // The command name in parentheses may hold anything; fields are counted behind the last one: state is the first.
    const std::size_t paren = stat.rfind(')');
    if (paren == std::string::npos) return fail(ErrorCode::not_found, "--pid: no such process", std::to_string(pid));
    std::istringstream fields(stat.substr(paren + 1));
    const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
    if (words.size() < 18) return fail(ErrorCode::not_found, "--pid: cannot read /proc/PID/stat", std::to_string(pid));
    use.user_seconds += std::stod(words[11]) / ticks;
    use.system_seconds += std::stod(words[12]) / ticks;
    use.threads += std::stoll(words[17]);
    const std::string status = read_all(folder + "status");
    use.rss_mib += number_behind(status, "VmRSS:") / 1024;
    use.rss_peak_mib += number_behind(status, "VmHWM:") / 1024;
    use.written_mb += number_behind(read_all(folder + "io"), "\nwrite_bytes:") / 1e6;
  }
  return use;
}

double own_cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

Result<void> pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (core >= 0 && core < CPU_SETSIZE) CPU_SET(static_cast<unsigned>(core), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    return fail(ErrorCode::invalid_argument, "--cpu: this machine (or container) has no such core",
                std::to_string(core));
  }
  return {};
}

void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(SystemClock().mono().count());
}

}  // namespace millrace::load
