// Record batch, message format v2: the unit that producers send, the journal and the segments hold, and consumers get.
// Kafka: DefaultRecordBatch; docs/formats/record-batch.md.
//
//   offset  bytes  field
//        0      8  baseOffset                 not under the CRC: patched by the log
//        8      4  batchLength                bytes after this field
//       12      4  partitionLeaderEpoch       not under the CRC: patched by the log
//       16      1  magic = 2
//       17      4  crc32c of everything from attributes on
//       21      2  attributes                 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
//       23      4  lastOffsetDelta
//       27      8  baseTimestamp
//       35      8  maxTimestamp
//       43      8  producerId
//       51      2  producerEpoch
//       53      4  baseSequence
//       57      4  records count
//       61         records
//
// So offsets are assigned by writing 12 bytes and the CRC made by the producer stays valid.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"

namespace millrace {

inline constexpr std::size_t kBatchHeaderSize = 61;
inline constexpr std::size_t kBatchOverhead = 12;  // baseOffset and batchLength, not counted by batchLength
inline constexpr std::int8_t kBatchMagic = 2;

enum class Compression : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

struct BatchHeader {
  Offset base_offset;
  std::int32_t batch_length = 0;
  LeaderEpoch leader_epoch;
  std::int8_t magic = 0;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp = kNoTimestamp;
  std::int64_t max_timestamp = kNoTimestamp;
  ProducerId producer_id = kNoProducer;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  std::int32_t base_sequence = kNoSequence;
  std::int32_t record_count = 0;

  /// Bytes of the whole batch, the first 12 included.
  [[nodiscard]] std::size_t size_bytes() const { return kBatchOverhead + static_cast<std::size_t>(batch_length); }
  [[nodiscard]] Offset last_offset() const { return base_offset + last_offset_delta; }
  [[nodiscard]] Offset next_offset() const { return last_offset() + 1; }
  /// Sequence of the last record; wraps from 2^31-1 to 0.
  [[nodiscard]] std::int32_t last_sequence() const;
  [[nodiscard]] Compression compression() const { return static_cast<Compression>(attributes & 0x07); }
  [[nodiscard]] bool log_append_time() const { return (attributes & 0x08) != 0; }
  [[nodiscard]] bool transactional() const { return (attributes & 0x10) != 0; }
  [[nodiscard]] bool control() const { return (attributes & 0x20) != 0; }
  [[nodiscard]] bool has_producer() const { return producer_id.value() >= 0; }
};

/// Reads the header at the front of `bytes`. Checks structure only: magic 2, a length that holds a header, a known
/// codec, count >= 0, lastOffsetDelta >= 0. Errors: malformed, unsupported_version (another magic). The batch may be
/// longer than `bytes`.
Result<BatchHeader> parse_batch_header(ByteView bytes);

/// CRC-32C over attributes to end of the batch at the front of `bytes`, as it should stand in the header.
[[nodiscard]] std::uint32_t compute_batch_crc(ByteView batch);
/// True when the stored CRC equals the computed one. `bytes` holds the whole batch.
[[nodiscard]] bool batch_crc_matches(ByteView batch);

/// What the log does to an accepted batch: 12 bytes, CRC untouched.
void patch_base_offset(MutableByteView batch, Offset base_offset, LeaderEpoch epoch);

/// Checks a batch that a producer sent, as Kafka's LogValidator does without decoding records: structure, whole batch
/// present and nothing behind it, CRC, lastOffsetDelta == count - 1, no control batch, a producer id has a sequence.
/// Errors: malformed, corrupt (CRC), invalid_argument.
Result<BatchHeader> validate_produced_batch(ByteView batch);

}  // namespace millrace
