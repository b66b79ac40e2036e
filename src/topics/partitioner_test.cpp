#include "topics/partitioner.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace millrace::topics {
namespace {

std::vector<std::uint8_t> from_hex(const std::string& hex) {
  std::vector<std::uint8_t> bytes;
  if (hex == "-") return bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

TEST(Partitioner, EqualsTheJavaClientOnTenThousandKeys) {
  std::ifstream vectors(MILLRACE_SOURCE_DIR "/tests/data/murmur2/vectors.txt");
  std::string hex;
  std::int32_t hash = 0;
  std::int32_t partition = 0;
  int count = 0;
  while (vectors >> hex >> hash >> partition) {
    const auto key = from_hex(hex);
    ASSERT_EQ(murmur2(key), hash) << hex;
    ASSERT_EQ(partition_for_key(key, 64).value(), partition) << hex;
    ++count;
  }
  EXPECT_EQ(count, 10'000);
}

TEST(StickyPartition, StaysUntilTheBatchIsFullThenMoves) {
  Rng rng(3);
  StickyPartition sticky;
  std::set<std::int32_t> seen;
  for (int batch = 0; batch < 200; ++batch) {
    const auto first = sticky.current(6, rng);
    for (int record = 0; record < 5; ++record) EXPECT_EQ(sticky.current(6, rng), first);
    seen.insert(first.value());
    sticky.next_batch();
    EXPECT_NE(sticky.current(6, rng), first);
  }
  EXPECT_EQ(seen.size(), 6U);
}

}  // namespace
}  // namespace millrace::topics
