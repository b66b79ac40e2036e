#include "sim/scheduler.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace millrace::sim {
namespace {

struct World {
  explicit World(std::uint64_t seed) : rng(seed) {}
  Rng rng;
  VirtualClock clock;
  Trace trace;
  Scheduler scheduler{rng, clock, trace};
};

std::string order_of(std::uint64_t seed, std::uint64_t& hash) {
  World world(seed);
  std::string order;
  for (char c = 'a'; c <= 'f'; ++c) {
    world.scheduler.after({}, [&order, c] { order += c; });
  }
  EXPECT_TRUE(world.scheduler.run(std::chrono::seconds(1)));
  hash = world.trace.hash();
  return order;
}

TEST(Scheduler, TheSeedDecidesTheOrder) {
  std::set<std::string> orders;
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    const std::string order = order_of(seed, first);
    EXPECT_EQ(order, order_of(seed, second));
    EXPECT_EQ(first, second);
    orders.insert(order);
    hashes.insert(first);
  }
  EXPECT_GT(orders.size(), 40U);
  EXPECT_GT(hashes.size(), 45U);
}

TEST(Scheduler, LanesKeepTheOrderOfTheirTasks) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    World world(seed);
    Executor& left = world.scheduler.add_lane();
    Executor& right = world.scheduler.add_lane();
    std::string left_order;
    std::string right_order;
    for (char c = 'a'; c <= 'f'; ++c) {
      left.post([&left_order, c] { left_order += c; });
      right.post([&right_order, c] { right_order += c; });
    }
    EXPECT_TRUE(world.scheduler.run(std::chrono::seconds(1)));
    EXPECT_EQ(left_order, "abcdef");
    EXPECT_EQ(right_order, "abcdef");
  }
}

TEST(Scheduler, TimeJumpsToTheNextTimer) {
  World world(1);
  std::vector<std::int64_t> fired;
  const MonoTime start = world.clock.mono();
  const auto note = [&] { fired.push_back((world.clock.mono() - start) / std::chrono::hours(1)); };
  world.scheduler.after(std::chrono::hours(5), note);
  world.scheduler.after(std::chrono::hours(2), [&] {
    note();
    world.scheduler.after(std::chrono::hours(1), note);
  });
  EXPECT_TRUE(world.scheduler.run(std::chrono::hours(10)));
  EXPECT_EQ(fired, (std::vector<std::int64_t>{2, 3, 5}));
  EXPECT_EQ(world.scheduler.ran(), 3U);
}

TEST(Scheduler, ClearForgetsTheProcess) {
  World world(1);
  Executor& lane = world.scheduler.add_lane();
  bool ran = false;
  lane.post([&] { ran = true; });
  world.scheduler.after(std::chrono::seconds(1), [&] { ran = true; });
  world.scheduler.clear();
  EXPECT_FALSE(world.scheduler.run_one());
  EXPECT_FALSE(ran);
}

TEST(VirtualClock, WallJumpsLeaveMonotonicTimeAlone) {
  VirtualClock clock;
  const auto mono = clock.mono();
  const auto wall = clock.wall();
  clock.jump_wall(std::chrono::hours(-24));
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(clock.mono() - mono, std::chrono::seconds(1));
  EXPECT_EQ(clock.wall() - wall, std::chrono::seconds(1) - std::chrono::hours(24));
}

}  // namespace
}  // namespace millrace::sim
