#include "load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"

namespace millrace::load {
namespace {

TEST(Histogram, EveryReportedValueIsWithinHalfAPercent) {
  Rng rng(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t value = rng() >> rng.below(64);
    const std::uint64_t reported = Histogram::middle_of(Histogram::slot_of(value));
    const double error = std::abs(static_cast<double>(reported) - static_cast<double>(value));
    ASSERT_LE(error, 0.004 * static_cast<double>(value)) << value;
  }
}

TEST(Histogram, SlotsAreContiguousAndOrdered) {
  std::size_t last = 0;
  for (std::uint64_t value = 0; value < 1'000'000; ++value) {
    const std::size_t slot = Histogram::slot_of(value);
    ASSERT_TRUE(slot == last || slot == last + 1) << value;
    last = slot;
  }
  EXPECT_LT(Histogram::slot_of(~0ULL), Histogram::kSlots);
}

TEST(Histogram, PercentilesMatchASortedList) {
  Rng rng(7);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 10'001; ++i) {
    values.push_back(1000 + rng.below(1'000'000) * rng.below(100));
    histogram.record(values.back());
  }
  std::ranges::sort(values);
  for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(share * static_cast<double>(values.size()))));
    const auto exact = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.at_share(share)), exact, exact * 0.004) << share;
  }
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.min(), values.front());
}

TEST(Histogram, OneSlowMessageInAThousandIsTheTailAndNotTheMedian) {
  Histogram histogram;
  histogram.record(1'024, 999);
  histogram.record(5'000'000);
  EXPECT_EQ(histogram.at_share(0.5), 1'028U);
  EXPECT_EQ(histogram.at_share(0.999), 1'028U);
  EXPECT_EQ(histogram.at_share(1), 5'000'000U);
}

TEST(Histogram, MergingIsTheSameAsRecordingBoth) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (std::uint64_t i = 1; i < 1000; ++i) {
    (i % 3 == 0 ? a : b).record(i * i);
    both.record(i * i);
  }
  a.merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.at_share(0.9), both.at_share(0.9));
  EXPECT_DOUBLE_EQ(a.mean(), both.mean());
  a.clear();
  EXPECT_EQ(a.at_share(0.5), 0U);
}

}  // namespace
}  // namespace millrace::load
