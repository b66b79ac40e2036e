#include "net/ticket_keys.h"

#include <gtest/gtest.h>

namespace millrace::net {
namespace {

TEST(TicketKeys, OneIsReplacedEveryPeriodAndTheOneBeforeStillOpens) {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  EXPECT_EQ(keys.current().name, first.name);
  clock.advance(TicketKeys::kPeriod - std::chrono::seconds(1));
  EXPECT_EQ(keys.current().name, first.name);
  EXPECT_FALSE(keys.find(first.name)->renew);
  clock.advance(std::chrono::seconds(1));
  const auto second = keys.current();
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.cipher, first.cipher);
  EXPECT_NE(second.mac, first.mac);
  ASSERT_TRUE(keys.find(first.name).has_value());
  EXPECT_TRUE(keys.find(first.name)->renew);
  EXPECT_EQ(keys.find(first.name)->key.cipher, first.cipher);
  EXPECT_FALSE(keys.find(second.name)->renew);
  clock.advance(TicketKeys::kPeriod);
  EXPECT_FALSE(keys.find(first.name).has_value());
  EXPECT_TRUE(keys.find(second.name).has_value());
}

TEST(TicketKeys, WhatNobodyAskedForGrowsOldAllTheSame) {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  clock.advance(2 * TicketKeys::kPeriod);
  EXPECT_FALSE(keys.find(first.name).has_value());
  EXPECT_FALSE(keys.find(TicketKeys::Name{}).has_value());
}

}  // namespace
}  // namespace millrace::net
