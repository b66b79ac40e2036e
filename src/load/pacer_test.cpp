#include "load/pacer.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace millrace::load {
namespace {

TEST(Pacer, DueTimesDoNotDrift) {
  const Pacer pacer(300'000, 1'000);
  EXPECT_EQ(pacer.due(0), 1'000U);
  EXPECT_EQ(pacer.due(300'000), 1'000'001'000U);
  EXPECT_EQ(pacer.due(300'000ULL * 3600), 3'600'000'001'000U);
}

TEST(Pacer, CountDueIsTheInverseOfDue) {
  Rng rng(3);
  for (const double rate : {0.5, 7.0, 999.0, 20'000.0, 300'000.0, 3'333'333.0}) {
    const Pacer pacer(rate, 12'345);
    EXPECT_EQ(pacer.count_due(12'344), 0U);
    for (int i = 0; i < 2'000; ++i) {
      const std::uint64_t now = 12'345 + rng.below(60'000'000'000);
      const std::uint64_t count = pacer.count_due(now);
      ASSERT_GT(pacer.due(count), now);
      ASSERT_LE(pacer.due(count - 1), now);
    }
  }
}

TEST(Pacer, EveryMessageBelongsToExactlyOneSender) {
  for (const std::uint64_t senders : {1ULL, 3ULL, 50ULL}) {
    for (std::uint64_t total = 0; total < 200; ++total) {
      std::uint64_t sum = 0;
      for (std::uint64_t sender = 0; sender < senders; ++sender) {
        const std::uint64_t own = Pacer::share_of(total, sender, senders);
        sum += own;
        if (own > 0) {
          ASSERT_LT(Pacer::index_of(own - 1, sender, senders), total);
        }
        ASSERT_GE(Pacer::index_of(own, sender, senders), total);
      }
      ASSERT_EQ(sum, total);
    }
  }
}

}  // namespace
}  // namespace millrace::load
