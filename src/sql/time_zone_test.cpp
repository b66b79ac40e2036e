#include "sql/time_zone.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sql/posix_rule_reader.h"

namespace millrace::sql {
namespace {

/// A version 2 file with one change at second 1000 from "AAA" +0 to "BBB" +1 h and a POSIX rule behind it.
std::vector<std::uint8_t> small_file(const std::string& footer) {
  std::vector<std::uint8_t> out;
  const auto put = [&out](std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  const auto header = [&](std::uint32_t transitions, std::uint32_t types, std::uint32_t characters) {
    for (const char c : std::string("TZif2")) out.push_back(static_cast<std::uint8_t>(c));
    out.resize(out.size() + 15);
    for (const std::uint32_t count : {0U, 0U, 0U, transitions, types, characters}) put(count, 4);
  };
  header(0, 1, 1);
  out.resize(out.size() + 7);  // the 32-bit block: one type, one character
  header(1, 2, 8);
  put(1000, 8);
  put(1, 1);
  put(0, 6);
  put(3600, 4);
  put(1, 1);
  put(4, 1);
  for (const char c : std::string("AAA\0BBB\0", 8)) out.push_back(static_cast<std::uint8_t>(c));
  for (const char c : "\n" + footer + "\n") out.push_back(static_cast<std::uint8_t>(c));
  return out;
}

TEST(TimeZone, ReadsTransitionsAndThePosixRuleBehindThem) {
  const auto zone = TimeZone::parse("test", small_file("CET-1CEST,M3.5.0,M10.5.0/3"));
  ASSERT_TRUE(zone) << zone.error().message();
  EXPECT_EQ(zone->at(999).abbreviation, "AAA");
  EXPECT_EQ(zone->at(999).seconds, 0);
  // 2100-03-28T01:00:00Z and 2100-10-31T01:00:00Z are the changes of that year.
  const std::int64_t spring = days_from_civil(2100, 3, 28) * 86'400 + 3600;
  const std::int64_t autumn = days_from_civil(2100, 10, 31) * 86'400 + 3600;
  EXPECT_EQ(zone->at(spring - 1).abbreviation, "CET");
  EXPECT_EQ(zone->at(spring).abbreviation, "CEST");
  EXPECT_EQ(zone->at(spring).seconds, 7200);
  EXPECT_EQ(zone->at(autumn - 1).abbreviation, "CEST");
  EXPECT_EQ(zone->at(autumn).abbreviation, "CET");
  const auto fixed = TimeZone::parse("test", small_file("<+03>-3"));
  ASSERT_TRUE(fixed);
  EXPECT_EQ(fixed->at(4'000'000'000).abbreviation, "+03");
  EXPECT_EQ(fixed->at(4'000'000'000).seconds, 10'800);
}

TEST(TimeZone, DamagedFilesAreRefusedOrHarmless) {
  const auto whole = small_file("CET-1CEST,M3.5.0,M10.5.0/3");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::uint8_t> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (const auto zone = TimeZone::parse("test", part)) (void)zone->at(4'000'000'000);
  }
  Rng rng(3);
  for (int i = 0; i < 20'000; ++i) {
    auto damaged = whole;
    for (int n = 0; n < 3; ++n) damaged[rng.below(damaged.size())] = static_cast<std::uint8_t>(rng());
    if (const auto zone = TimeZone::parse("test", damaged)) {
      for (const std::int64_t second : {-5'000'000'000LL, 0LL, 5'000'000'000LL}) (void)zone->at(second);
    }
  }
  for (const char* footer : {"CET-1CEST", "C", "CET", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M3.5.0", "CET-999"}) {
    EXPECT_FALSE(TimeZone::parse("test", small_file(footer))) << footer;
  }
}

TEST(TimeZone, FindsOnlyZones) {
  EXPECT_EQ(TimeZone::find("UTC"), &TimeZone::utc());
  ASSERT_NE(TimeZone::find("-03:30"), nullptr);
  EXPECT_EQ(TimeZone::find("-03:30")->at(0).seconds, -12'600);
  EXPECT_EQ(TimeZone::find("+09:00"), TimeZone::find("+09:00"));
  for (const char* name : {"", "/etc/localtime", "../zoneinfo/UTC", "+9", "+25:00", "no such zone", "Asia"}) {
    EXPECT_EQ(TimeZone::find(name), nullptr) << name;
  }
}

}  // namespace
}  // namespace millrace::sql
