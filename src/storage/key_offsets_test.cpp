#include "storage/key_offsets.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace millrace::storage {
namespace {

TEST(KeyOffsets, AgreesWithAMapAlsoWhereHashesMeet) {
  // 300,000 keys and a hash of 32 bits: about ten pairs have the same hash.
  KeyOffsets offsets(64_MiB, 7);
  std::map<std::string, std::int64_t> expected;
  Rng rng(3);
  for (std::int64_t i = 0; i < 400'000; ++i) {
    std::string key = "k" + std::to_string(rng.below(300'000));
    if (rng.chance(1, 50)) key += std::string(rng.below(300), 'x');
    ASSERT_TRUE(offsets.put(as_bytes(key), Offset(i)));
    expected[key] = i;
  }
  EXPECT_EQ(offsets.size(), expected.size());
  for (const auto& [key, offset] : expected) ASSERT_EQ(offsets.find(as_bytes(key)), Offset(offset)) << key;
  EXPECT_FALSE(offsets.find(as_bytes("another")));
}

TEST(KeyOffsets, StaysWithinItsBudgetAndKnownKeysGoOn) {
  constexpr std::size_t kBudget = 256_KiB;
  KeyOffsets offsets(kBudget, 7);
  std::int64_t taken = 0;
  while (offsets.put(as_bytes("key " + std::to_string(taken)), Offset(taken))) ++taken;
  EXPECT_GT(taken, 2'000);
  EXPECT_LE(offsets.memory_bytes(), kBudget);
  EXPECT_TRUE(offsets.put(as_bytes("key 5"), Offset(taken)));
  EXPECT_EQ(offsets.find(as_bytes("key 5")), Offset(taken));
  EXPECT_FALSE(offsets.find(as_bytes("key " + std::to_string(taken))));
}

TEST(KeyOffsets, TheFirstKeyAlwaysHasRoom) {
  KeyOffsets offsets(1, 7);
  EXPECT_TRUE(offsets.put(as_bytes(std::string(100'000, 'k')), Offset(1)));
  EXPECT_FALSE(offsets.put(as_bytes("b"), Offset(2)));
}

TEST(KeyOffsets, TheEmptyKeyIsAKey) {
  KeyOffsets offsets(1_MiB, 7);
  EXPECT_TRUE(offsets.put({}, Offset(4)));
  EXPECT_EQ(offsets.find({}), Offset(4));
  EXPECT_FALSE(offsets.find(as_bytes(std::string_view("\0", 1))));
}

}  // namespace
}  // namespace millrace::storage
