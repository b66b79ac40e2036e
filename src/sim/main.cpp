// sim_run: repeats seeds of the simulated log and tells what happened.
//
//   sim_run --seeds 17            one seed; on a violation the whole trace of the run
//   sim_run --seeds 1..20000      many; the counts at the end
//   sim_run --seeds 1..2000 --bug skip_sync     with a seeded mistake: which seed finds it
//   sim_run --seeds 17 --trace    the trace even when all is well
//
// Exit status: 0 no violation, 1 a violation, 2 wrong arguments.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/log.h"
#include "sim/bug_names.h"
#include "sim/log_run.h"

namespace {

int usage() {
  std::fputs("usage: sim_run --seeds A[..B] [--bug NAME] [--trace]\nbugs:", stderr);
  for (const auto& [name, bug] : millrace::sim::kSeededBugs) std::fprintf(stderr, " %s", std::string(name).c_str());
  std::fputs("\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace millrace;
  log::set_level(log::Level::off);
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  sim::LogRunOptions options;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--trace") {
      trace = true;
    } else if (argument == "--seeds" && i + 1 < argc) {
      char* end = nullptr;
      first = std::strtoull(argv[++i], &end, 10);
      last = std::strncmp(end, "..", 2) == 0 ? std::strtoull(end + 2, nullptr, 10) : first;
    } else if (argument == "--bug" && i + 1 < argc) {
      const std::string_view wanted = argv[++i];
      bool known = false;
      for (const auto& [name, bug] : sim::kSeededBugs) {
        if (name != wanted) continue;
        options.bugs.*bug = true;
        known = true;
      }
      if (!known) return usage();
    } else {
      return usage();
    }
  }
  if (first == 0 || last < first) return usage();

  sim::LogRunCounts counts;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    options.keep_lines = trace;
    sim::LogRunResult result = sim::run_log(seed, options);
    counts.add(result.counts);
    if (result.violation && !trace) {
      options.keep_lines = true;
      result = sim::run_log(seed, options);
    }
    for (const auto& line : result.lines) std::puts(line.c_str());
    if (result.violation) {
      std::printf("seed %llu: VIOLATION: %s\n", static_cast<unsigned long long>(seed), result.violation->c_str());
      return 1;
    }
    if (first == last) {
      std::printf("seed %llu: trace hash %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(result.trace_hash));
    }
  }
  if (first == last) return 0;
  std::printf("%llu seeds, no violation: %s\n", static_cast<unsigned long long>(last) - first + 1,
              counts.to_string().c_str());
  return 0;
}
