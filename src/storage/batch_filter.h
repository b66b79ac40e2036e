// BatchFilter: what compaction makes of one record batch. Kafka: Cleaner.shouldRetainRecord, MemoryRecords.filterTo.
//
// A record stays when no newer one with its key is known, or when it lies behind what is known. What stays keeps its
// offset and timestamp; a batch keeps its first and last offset, its producer and its sequences (see extend_batch). A
// tombstone stays for delete.retention.ms after the first compaction that met it as the newest of its key: from then on
// its batch carries the hour of its end as base timestamp (attribute bit 6, KIP-534). Control batches, and batches
// whose records do not decode, are left as they are. Thread: one owner; no I/O.
#pragma once

#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "model/record_batch.h"
#include "storage/key_offsets.h"
#include "storage/record_scan.h"
#include "storage/seeded_bugs.h"
#include "storage/segment.h"

namespace millrace::storage {

inline constexpr std::int16_t kDeleteHorizonBit = 0x40;

struct FilterRules {
  const KeyOffsets* newest = nullptr;
  Offset known_until;  // records from here on are not in `newest`: they stay
  std::int64_t now_ms = 0;
  std::int64_t delete_retention_ms = 0;
  /// The last offset of each producer that is not forgotten: a batch that ends there stays, be it empty, so that the
  /// producer's sequence can be read from the log.
  const std::unordered_map<ProducerId, Offset>* producers = nullptr;
  SeededBugs bugs;
};

struct FilteredBatch {
  SharedBytes bytes;  // empty: nothing of the batch stays
  std::int64_t max_timestamp = kNoTimestamp;
  std::int64_t base_timestamp = kNoTimestamp;
  std::int64_t delete_horizon_ms = kNoTimestamp;  // when its tombstones may go
  std::uint32_t dropped = 0;                      // records
};

/// A batch without records that stands for the offsets from `base` up to, not including, `next`.
[[nodiscard]] StoredBatch empty_batch(Offset base, Offset next);
/// Makes `batch` reach up to `next`. False, and unchanged, when it is a producer's: its sequences would grow with it.
[[nodiscard]] bool extend_batch(StoredBatch& batch, Offset next);

/// What compaction needs of the batches it goes through; keeps memory between them.
class BatchFilter {
 public:
  /// Enters the keys of a batch into `newest`, in order. The offset of the first record for which there was no room;
  /// nullopt when all went in.
  std::optional<Offset> learn(const BatchHeader& header, ByteView batch, KeyOffsets& newest, const SeededBugs& bugs);
  /// internal: compression refused. `batch` was checked: its header and CRC are right.
  Result<FilteredBatch> filter(const BatchHeader& header, SharedBytes batch, const FilterRules& rules);

 private:
  /// Decodes into records_. False when that is not possible, or not to be done.
  bool scan(const BatchHeader& header, ByteView batch);
  /// The batch with what stays_ names; `horizon_ms` becomes its base timestamp unless it is kNoTimestamp.
  Result<FilteredBatch> rewrite(const BatchHeader& header, ByteView batch, std::int64_t horizon_ms);

  Buffer plain_;
  Buffer section_;
  std::vector<ScannedRecord> records_;
  std::vector<bool> stays_;
};

}  // namespace millrace::storage
