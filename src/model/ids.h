// Strong ids of the log. A raw int64 never crosses a module boundary.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "base/strong_id.h"

namespace millrace {

using Offset = StrongId<struct OffsetTag, std::int64_t>;                  // position of a record in a partition
using PartitionIndex = StrongId<struct PartitionIndexTag, std::int32_t>;  // 0-based within a topic
using ProducerId = StrongId<struct ProducerIdTag, std::int64_t>;          // -1: none
using ProducerEpoch = StrongId<struct ProducerEpochTag, std::int16_t>;    // -1: none
using LeaderEpoch = StrongId<struct LeaderEpochTag, std::int32_t>;        // always 0 on one node

inline constexpr ProducerId kNoProducer{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};
inline constexpr std::int32_t kNoSequence = -1;
inline constexpr std::int64_t kNoTimestamp = -1;

/// 16 bytes as Kafka topic ids; all zero means none.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
  [[nodiscard]] bool is_zero() const { return bytes == std::array<std::uint8_t, 16>{}; }
  /// URL-safe base64 without padding, as Kafka prints topic ids (22 characters).
  [[nodiscard]] std::string to_string() const;
  /// Version 4 from 128 random bits.
  static Uuid from_random(std::uint64_t high, std::uint64_t low);
};

}  // namespace millrace
