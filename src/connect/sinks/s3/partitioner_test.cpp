// Folders and cuts by time: local days, and what counts as a time.
#include "connect/sinks/s3/partitioner.h"

#include <gtest/gtest.h>

namespace millrace::connect::s3 {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000;

TEST(Partitioner, SpansAndRotationsAreLocal) {
  const sql::TimeZone& seoul = *sql::TimeZone::find("Asia/Seoul");
  EXPECT_EQ(span_start(kStart, 86'400'000, seoul), 1'699'974'000'000);  // 2023-11-15T00:00+09:00
  EXPECT_EQ(span_start(kStart, 180'000, seoul), 1'699'999'920'000);
  EXPECT_EQ(next_rotation(WallTime(kStart), std::chrono::hours(24), seoul).count(), 1'700'060'400'000);
  EXPECT_EQ(next_rotation(WallTime(1'700'060'400'000), std::chrono::minutes(3), seoul).count(), 1'700'060'580'000);
}

TEST(Partitioner, IsoTimes) {
  EXPECT_EQ(parse_iso_time("2023-11-14T22:13:20Z"), kStart);
  EXPECT_EQ(parse_iso_time("2023-11-15T07:13:20.5+09:00"), kStart + 500);
  EXPECT_EQ(parse_iso_time("2023-11-14"), 1'699'920'000'000);
  for (const char* wrong : {"", "x", "2023-13-01", "2023-11-14T25:00:00Z", "2023-11-14T22:13:20Zx", "20231114",
                            "2023-11-14T-5:00", "2023-11-14T22:-1"}) {
    EXPECT_EQ(parse_iso_time(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace millrace::connect::s3
