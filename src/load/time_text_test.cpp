#include "load/time_text.h"

#include <gtest/gtest.h>

namespace millrace::load {
namespace {

TEST(TimeText, FormsThatRecordedDataUses) {
  struct Case {
    const char* text;
    std::int64_t ms;
  };
  const Case cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2016-11-24T00:00:51-06:00", 1'479'967'251'000},
      {"2016-11-24T06:00:51Z", 1'479'967'251'000},
      {"2016-11-24T11:30:51.250+0530", 1'479'967'251'250},
      {"2014-04-01 00:05:00", 1'396'310'700'000},
      {"2014-04-01", 1'396'310'400'000},
      {"2014-04-01T00:05", 1'396'310'700'000},
      {"1969-12-31T23:59:59.5Z", -500},
      {"1533226488299", 1'533'226'488'299},
      {"1533226488.299", 1'533'226'488'299},
      {"1533226488", 1'533'226'488'000},
      {"46408.580034", 46'408'580},
      {"2024-02-29 12:00:00,123", 1'709'208'000'123},
  };
  for (const Case& c : cases) {
    const Result<std::int64_t> ms = parse_time_ms(c.text);
    ASSERT_TRUE(ms) << c.text;
    EXPECT_EQ(*ms, c.ms) << c.text;
  }
}

TEST(TimeText, WhatIsNotATimeIsRefused) {
  for (const char* text :
       {"", "yesterday", "2014-13-01", "2023-02-29", "2014-04-01T25:00:00", "2014-04-01T00:61:00", "2014-04-01X00:00",
        "2014-04-01T00:00:00+1", "2014-04-01T00:00:00.", "12:00:00", "nan", "2014-04-01T00:00:00Zx"}) {
    EXPECT_FALSE(parse_time_ms(text)) << text;
  }
}

}  // namespace
}  // namespace millrace::load
