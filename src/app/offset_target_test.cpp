// Durations of `millrace groups reset --by-duration`.
#include "app/offset_target.h"

#include <gtest/gtest.h>

namespace millrace::app {
namespace {

TEST(OffsetTarget, Durations) {
  const std::pair<std::string_view, std::int64_t> good[] = {
      {"P1D", 86'400'000}, {"PT1H30M", 5'400'000}, {"P2DT10S", 172'810'000}, {"PT0S", 0}, {"PT90M", 5'400'000}};
  for (const auto& [text, ms] : good) {
    const auto parsed = parse_duration_ms(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, ms) << text;
  }
  for (const std::string_view bad :
       {"", "P", "PT", "1h", "P1H", "PT1D", "PT1M1H", "PT1", "P-1D", "P1DT", "PT1.5S", "P1M", "PT99999999999S"}) {
    EXPECT_FALSE(parse_duration_ms(bad)) << bad;
  }
}

}  // namespace
}  // namespace millrace::app
