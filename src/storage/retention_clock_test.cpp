#include "storage/retention_clock.h"

#include <gtest/gtest.h>

namespace millrace::storage {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class RetentionClockTest : public testing::Test {
 protected:
  std::int64_t wall() const { return clock_.wall().count(); }
  ManualClock clock_;
  const std::int64_t start_ = clock_.wall().count();
};

TEST_F(RetentionClockTest, FollowsAClockThatAgrees) {
  RetentionClock retention(start_, clock_.mono());
  for (int i = 0; i < 1000; ++i) {
    clock_.advance(minutes(5));
    clock_.set_wall(clock_.wall() + std::chrono::seconds(i % 7 - 3));  // slewing
    EXPECT_EQ(retention.look(clock_), wall());
  }
}

TEST_F(RetentionClockTest, BackwardsIsFollowedAtOnce) {
  RetentionClock retention(start_, clock_.mono());
  clock_.set_wall(WallTime(0));
  EXPECT_EQ(retention.look(clock_), 0);
  EXPECT_FALSE(retention.doubting());
}

TEST_F(RetentionClockTest, AJumpIsDoubtedUntilItIsTakenBack) {
  RetentionClock retention(start_, clock_.mono());
  clock_.set_wall(clock_.wall() + hours(9000));
  EXPECT_EQ(retention.look(clock_), start_);
  EXPECT_TRUE(retention.doubting());
  clock_.advance(minutes(30));
  EXPECT_EQ(retention.look(clock_), start_ + 30 * 60'000);
  clock_.set_wall(clock_.wall() - hours(9000));
  EXPECT_EQ(retention.look(clock_), wall());
  EXPECT_FALSE(retention.doubting());
}

TEST_F(RetentionClockTest, AJumpThatLastsAnHourIsBelieved) {
  RetentionClock retention(start_, clock_.mono());
  clock_.set_wall(clock_.wall() + hours(9000));
  for (int i = 0; i < 12; ++i) {
    EXPECT_LT(retention.look(clock_), start_ + 3'600'000) << i;
    clock_.advance(minutes(5));
  }
  EXPECT_EQ(retention.look(clock_), wall());
}

TEST_F(RetentionClockTest, EachJumpHasToProveItself) {
  RetentionClock retention(start_, clock_.mono());
  clock_.set_wall(clock_.wall() + hours(9000));
  EXPECT_EQ(retention.look(clock_), start_);
  clock_.set_wall(clock_.wall() - hours(9000));
  clock_.advance(minutes(59));
  EXPECT_EQ(retention.look(clock_), wall());
  clock_.set_wall(clock_.wall() + hours(9000));
  clock_.advance(minutes(2));
  EXPECT_LT(retention.look(clock_), start_ + 3'700'000);
}

}  // namespace
}  // namespace millrace::storage
