// The log on a disk that forgets: thousands of seeds without a broken promise, and every seeded bug found (invariants
// I1 to I5, I12 to I15 and I16 of docs/durability.md).
//
// MILLRACE_SIM_SEEDS=N runs N seeds instead of 2,000; MILLRACE_SIM_FIRST=N starts at N.
#include "sim/log_run.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/log.h"
#include "sim/bug_names.h"
#include "sim/seeds.h"

namespace millrace::sim {
namespace {

// The log says why it stops, thousands of times.
const bool kQuiet = (log::set_level(log::Level::off), true);

TEST(LogRun, EverySeedKeepsEveryPromise) {
  const auto [first, seeds] = Seeds();
  LogRunCounts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const LogRunResult result = run_log(seed, {});
    counts.add(result.counts);
    ASSERT_FALSE(result.violation) << "seed " << seed << ": " << *result.violation << "\nrepeat: sim_run --seeds "
                                   << seed;
  }
  std::printf("%llu seeds: %s\n", static_cast<unsigned long long>(seeds), counts.to_string().c_str());
  // A run that stopped seeing accidents would be green for the wrong reason.
  EXPECT_GT(counts.power_cuts, seeds);
  EXPECT_GT(counts.process_deaths, seeds / 2);
  EXPECT_GT(counts.clean_stops, seeds);
  EXPECT_GT(counts.failed_syncs, seeds / 4);
  EXPECT_GT(counts.doubts_kept, seeds / 8);
  EXPECT_GT(counts.doubts_gone, seeds / 8);
  EXPECT_GT(counts.commits, seeds * 20);
  EXPECT_GT(counts.duplicates, seeds * 2);
}

TEST(LogRun, OneSeedIsOneRun) {
  for (std::uint64_t seed = 1; seed <= kSeedsByDefault; seed += 100) {
    const LogRunResult first = run_log(seed, {});
    const LogRunResult second = run_log(seed, {});
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_NE(first.trace_hash, run_log(seed + 1, {}).trace_hash);
  }
}

class SeededBug : public ::testing::TestWithParam<std::pair<std::string_view, BugSwitch>> {};

TEST_P(SeededBug, IsFound) {
  LogRunOptions options;
  options.bugs.*GetParam().second = true;
  for (std::uint64_t seed = 1; seed <= kSeedsByDefault; ++seed) {
    const LogRunResult result = run_log(seed, options);
    if (!result.violation) continue;
    std::printf("%s: found by seed %llu: %s\n", std::string(GetParam().first).c_str(),
                static_cast<unsigned long long>(seed), result.violation->c_str());
    RecordProperty("seed", static_cast<int>(seed));
    return;
  }
  ADD_FAILURE() << GetParam().first << " was not found in " << kSeedsByDefault << " seeds";
}
INSTANTIATE_TEST_SUITE_P(All, SeededBug, ::testing::ValuesIn(kSeededBugs),
                         [](const auto& one) { return std::string(one.param.first); });

}  // namespace
}  // namespace millrace::sim
