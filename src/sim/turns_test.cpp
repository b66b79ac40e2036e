#include "sim/turns.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace millrace::sim {
namespace {

std::string interleave(std::uint64_t seed) {
  Rng rng(seed);
  Turns turns(rng);
  std::string order;
  for (const char name : {'a', 'b', 'c'}) {
    turns.add([&order, &turns, name] {
      for (int i = 0; i < 4; ++i) {
        order += name;
        turns.yield();
      }
    });
  }
  turns.run();
  return order;
}

TEST(Turns, OneAtATimeInAnOrderOfTheSeed) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const std::string order = interleave(seed);
    EXPECT_EQ(order.size(), 12U);
    EXPECT_EQ(order, interleave(seed));
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 25U);
}

TEST(Turns, YieldOutsideDoesNothing) {
  Rng rng(1);
  Turns turns(rng);
  turns.yield();
  turns.run();
  turns.yield();
}

}  // namespace
}  // namespace millrace::sim
