// data/checkpoint: from where the journal has to be replayed, and what stands in segments up to there
// (docs/formats/checkpoint.md).
//
// Invariant: everything it names was synced before it was written; it is replaced whole. It carries the producer state
// at its offsets, because Kafka's .snapshot keeps only the newest batch of each producer. Thread: values only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "storage/journal_format.h"
#include "storage/producer_table.h"
#include "storage/segment_state.h"

namespace millrace::storage {

inline constexpr std::string_view kCheckpointPath = "checkpoint";

/// A place in the journal: where the group `sequence` stands, or would stand if it did not go to the front of another
/// file.
struct JournalPosition {
  Generation generation;
  std::uint64_t offset = 0;
  GroupSequence sequence{1};
};

struct PartitionCheckpoint {
  PartitionId id;
  PartitionSpec spec;
  Offset log_start;
  Offset next;  // first offset not in segments; replay starts here
  std::vector<SegmentState> segments;
  ProducerTable producers;
};

struct CheckpointHead {
  bool clean = false;  // written by a clean stop
  /// Of a clean stop: a generation that no journal file has had. The next start gives it, or a later one, to a file
  /// before it changes anything else: while none has, nothing has happened since. 0: not known.
  Generation next_generation{0};
  JournalPosition replay_from;
  PartitionId next_partition{1};
  ProducerId next_producer{0};
};

struct Checkpoint : CheckpointHead {
  std::vector<PartitionCheckpoint> partitions;
};

/// A partition as it stands in the file. Kept while the partition stays as it is, so that a checkpoint costs what
/// changed.
struct EncodedPartition {
  Buffer bytes;
  struct Compacted {
    std::uint32_t segment = 0;
    bool swap = false;
    Offset clean_until{-1};
    std::int64_t delete_horizon_ms = kNoTimestamp;
  };
  std::vector<Compacted> compacted;
};
[[nodiscard]] EncodedPartition encode_partition(const PartitionCheckpoint& partition);
[[nodiscard]] Buffer encode_checkpoint(const CheckpointHead& head, std::span<const EncodedPartition* const> partitions);
[[nodiscard]] Buffer encode_checkpoint(const Checkpoint& checkpoint);
/// corrupt (checksum, structure) or unsupported_version.
Result<Checkpoint> parse_checkpoint(ByteView bytes);

}  // namespace millrace::storage
