// Which partition a record goes to, as the Java client decides it: murmur2 of the key (seed 0x9747b28c), positive,
// modulo the number of partitions; a null key stays on one partition until a batch is full, then moves to a random
// other one (KIP-480).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/rng.h"
#include "model/ids.h"

namespace millrace::topics {

/// org.apache.kafka.common.utils.Utils.murmur2.
[[nodiscard]] std::int32_t murmur2(ByteView key);

/// Utils.toPositive(murmur2(key)) % partitions. Requires partitions > 0.
[[nodiscard]] PartitionIndex partition_for_key(ByteView key, std::int32_t partitions);

/// The sticky choice for null keys of one topic. Thread: one owner.
class StickyPartition {
 public:
  /// The partition of the batch being gathered.
  PartitionIndex current(std::int32_t partitions, Rng& rng);
  /// The batch is full or was handed on: the next record may go elsewhere.
  void next_batch() { chosen_ = -1; }

 private:
  std::int32_t chosen_ = -1;
  std::int32_t last_ = -1;
};

}  // namespace millrace::topics
