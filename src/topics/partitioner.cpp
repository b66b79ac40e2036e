#include "topics/partitioner.h"

#include "base/assert.h"
#include "base/endian.h"

namespace millrace::topics {

// MurmurHash2, 32 bits, as Kafka's Java client computes it (Austin Appleby's algorithm, public domain).
std::int32_t murmur2(ByteView key) {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr std::uint32_t kSeed = 0x9747b28c;
  constexpr unsigned kShift = 24;
  auto hash = kSeed ^ static_cast<std::uint32_t>(key.size());
  const std::size_t words = key.size() / 4;
  for (std::size_t i = 0; i < words; ++i) {
    auto k = load_le<std::uint32_t>(key.data() + 4 * i);
    k *= kMultiplier;
    k ^= k >> kShift;
    k *= kMultiplier;
    hash *= kMultiplier;
    hash ^= k;
  }
  const std::uint8_t* tail = key.data() + 4 * words;
  switch (key.size() % 4) {
    case 3:
      hash ^= static_cast<std::uint32_t>(tail[2]) << 16U;
      [[fallthrough]];
    case 2:
      hash ^= static_cast<std::uint32_t>(tail[1]) << 8U;
      [[fallthrough]];
    case 1:
      hash ^= tail[0];
      hash *= kMultiplier;
      break;
    default:
      break;
  }
  hash ^= hash >> 13U;
  hash *= kMultiplier;
  hash ^= hash >> 15U;
  return static_cast<std::int32_t>(hash);
}

PartitionIndex partition_for_key(ByteView key, std::int32_t partitions) {
  MR_ASSERT(partitions > 0);
  return PartitionIndex((murmur2(key) & 0x7fffffff) % partitions);
}

PartitionIndex StickyPartition::current(std::int32_t partitions, Rng& rng) {
  MR_ASSERT(partitions > 0);
  if (chosen_ < 0 || chosen_ >= partitions) {
    chosen_ = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(partitions)));
    // Another one than last time, so that two batches in a row do not fill the same partition.
    if (partitions > 1 && chosen_ == last_) chosen_ = (chosen_ + 1) % partitions;
    last_ = chosen_;
  }
  return PartitionIndex(chosen_);
}

}  // namespace millrace::topics
