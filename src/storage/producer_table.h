// ProducerTable: what one partition remembers of idempotent producers, and the verdict on the next batch.
//
// Per producer id: epoch and the last five batches (research: Kafka's ProducerStateManager and KIP-360). An unknown
// producer may start at any sequence. Invariant: the table is a function of the recovered batches, so a producer never
// meets a state that its acknowledgements contradict. Thread: none of its own; the partition guards it.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/byte_reader.h"
#include "base/result.h"
#include "model/record_batch.h"
#include "storage/partition_log.h"

namespace millrace::storage {

inline constexpr std::int64_t kProducerExpiryMs = 86'400'000;  // Kafka's producer.id.expiration.ms

struct ProducerBatch {
  std::int32_t first_sequence = kNoSequence;
  std::int32_t last_sequence = kNoSequence;
  Offset last_offset;
  std::int32_t offset_delta = 0;  // records - 1
  std::int64_t timestamp_ms = kNoTimestamp;
  [[nodiscard]] Offset base_offset() const { return last_offset - offset_delta; }
};

class ProducerEntry {
 public:
  static constexpr std::size_t kBatches = 5;
  ProducerEpoch epoch = kNoProducerEpoch;
  std::int64_t last_seen_ms = 0;  // wall time, for expiry

  [[nodiscard]] std::size_t size() const { return count_; }
  /// 0 is the oldest.
  [[nodiscard]] const ProducerBatch& at(std::size_t i) const { return batches_[i]; }
  [[nodiscard]] const ProducerBatch& newest() const { return batches_[count_ - 1]; }
  void push(const ProducerBatch& batch);
  void clear() { count_ = 0; }
  /// The remembered batch with these sequences, or nullptr.
  [[nodiscard]] const ProducerBatch* find(std::int32_t first, std::int32_t last) const;

 private:
  std::array<ProducerBatch, kBatches> batches_{};
  std::size_t count_ = 0;
};

/// What to do with a batch of a producer whose entry is `known` (nullptr: no state).
struct ProducerVerdict {
  enum class Kind : std::uint8_t { accept, duplicate, fenced, out_of_order } kind = Kind::accept;
  ProducerBatch original;  // of a duplicate
};
[[nodiscard]] ProducerVerdict judge(const ProducerEntry* known, const BatchHeader& header);
/// `entry` after the batch was accepted at `base_offset`.
void accept(ProducerEntry& entry, const BatchHeader& header, Offset base_offset, std::int64_t now_ms);

class ProducerTable {
 public:
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const ProducerEntry* find(ProducerId id) const;
  /// The last offset of each producer.
  [[nodiscard]] std::unordered_map<ProducerId, Offset> ends() const;
  void put(ProducerId id, const ProducerEntry& entry) { entries_[id] = entry; }
  /// Recovery and the publishing of a batch that was judged before.
  void apply(const BatchHeader& header, std::int64_t now_ms);
  /// Forgets producers not seen for `age_ms`. True when there was one.
  bool expire(std::int64_t now_ms, std::int64_t age_ms);

  /// What others may know of it, sorted by producer id.
  [[nodiscard]] std::vector<ProducerState> states() const;
  /// The whole state, sorted by producer id, as the checkpoint holds it.
  void encode(Buffer& out) const;
  static Result<ProducerTable> decode(ByteReader& in);
  /// Kafka's .snapshot file (version 1): the newest batch of each producer only.
  [[nodiscard]] Buffer kafka_snapshot() const;

 private:
  [[nodiscard]] std::vector<ProducerId> sorted_ids() const;
  std::unordered_map<ProducerId, ProducerEntry> entries_;
};

/// A producer as a .snapshot file has it.
struct SnapshotEntry {
  ProducerId id = kNoProducer;
  ProducerEpoch epoch = kNoProducerEpoch;
  std::int32_t last_sequence = kNoSequence;
  Offset last_offset{-1};
};
/// corrupt unless `bytes` is a well-formed .snapshot file.
Result<std::vector<SnapshotEntry>> parse_kafka_snapshot(ByteView bytes);

}  // namespace millrace::storage
