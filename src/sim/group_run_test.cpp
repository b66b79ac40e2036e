// A consumer group through crashes, lost messages and rivals: thousands of seeds without a broken promise, and every
// seeded bug found (invariant I9, I13, I14, I16).
//
// MILLRACE_SIM_SEEDS=N runs N seeds instead of 2,000; MILLRACE_SIM_FIRST=N starts at N.
#include "sim/group_run.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "sim/group_bug_names.h"
#include "sim/seeds.h"

namespace millrace::sim {
namespace {

const bool kQuiet = (log::set_level(log::Level::off), true);

TEST(GroupRun, EverySeedKeepsEveryPromise) {
  const auto [first, seeds] = Seeds();
  GroupRunCounts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const GroupRunResult result = run_group(seed, {});
    counts.add(result.counts);
    if (!result.violation) continue;
    for (const std::string& line : run_group(seed, {.bugs = {}, .keep_lines = true}).lines) std::puts(line.c_str());
    FAIL() << "seed " << seed << ": " << *result.violation;
  }
  std::printf("%llu seeds: %s\n", static_cast<unsigned long long>(seeds), counts.to_string().c_str());
  // A run that stopped seeing accidents would be green for the wrong reason.
  EXPECT_GT(counts.crashes, seeds);
  EXPECT_GT(counts.rebalances, seeds * 5);
  EXPECT_GT(counts.commits, seeds * 5);
  EXPECT_GT(counts.fenced, seeds / 4);
  EXPECT_GT(counts.expired_members, seeds / 4);
  EXPECT_GT(counts.replaced_members, seeds / 4);
  EXPECT_GT(counts.deletions, seeds / 8);
  EXPECT_GT(counts.lost_messages, seeds * 2);
}

TEST(GroupRun, OneSeedIsOneRun) {
  for (std::uint64_t seed = 1; seed <= kSeedsByDefault; seed += 100) {
    EXPECT_EQ(run_group(seed, {}).trace_hash, run_group(seed, {}).trace_hash) << "seed " << seed;
    EXPECT_NE(run_group(seed, {}).trace_hash, run_group(seed + 1, {}).trace_hash);
  }
}

class SeededGroupBug : public ::testing::TestWithParam<std::pair<std::string_view, GroupBugSwitch>> {};

TEST_P(SeededGroupBug, IsFound) {
  GroupRunOptions options;
  options.bugs.*GetParam().second = true;
  for (std::uint64_t seed = 1; seed <= kSeedsByDefault; ++seed) {
    const GroupRunResult result = run_group(seed, options);
    if (!result.violation) continue;
    std::printf("%s: found by seed %llu: %s\n", std::string(GetParam().first).c_str(),
                static_cast<unsigned long long>(seed), result.violation->c_str());
    return;
  }
  ADD_FAILURE() << GetParam().first << " was not found in " << kSeedsByDefault << " seeds";
}
INSTANTIATE_TEST_SUITE_P(All, SeededGroupBug, ::testing::ValuesIn(kSeededGroupBugs),
                         [](const auto& one) { return std::string(one.param.first); });

}  // namespace
}  // namespace millrace::sim
