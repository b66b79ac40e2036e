#include "storage/batch_filter.h"

#include <algorithm>

#include "base/byte_writer.h"
#include "base/endian.h"
#include "codec/compression.h"

namespace millrace::storage {
namespace {

constexpr std::int16_t kCodecBits = 0x07;
constexpr std::size_t kCrcAt = 17;
constexpr std::size_t kLastDeltaAt = 23;

bool has_horizon(const BatchHeader& header) {
  return (header.attributes & kDeleteHorizonBit) != 0;
}

// The header of a batch that keeps place, producer and sequences of the one before.
void put_header(std::uint8_t* at, const BatchHeader& header) {
  store_be(at, header.base_offset.value());
  store_be(at + 8, header.batch_length);
  store_be(at + 12, header.leader_epoch.value());
  at[16] = static_cast<std::uint8_t>(kBatchMagic);
  store_be(at + 21, header.attributes);
  store_be(at + 23, header.last_offset_delta);
  store_be(at + 27, header.base_timestamp);
  store_be(at + 35, header.max_timestamp);
  store_be(at + 43, header.producer_id.value());
  store_be(at + 51, header.producer_epoch.value());
  store_be(at + 53, header.base_sequence);
  store_be(at + 57, header.record_count);
}

SharedBytes finish(Buffer batch, BatchHeader header) {
  header.batch_length = static_cast<std::int32_t>(batch.size() - kBatchOverhead);
  put_header(batch.data(), header);
  store_be(batch.data() + kCrcAt, compute_batch_crc(batch.view()));
  return SharedBytes(std::move(batch));
}

// The same record with another base timestamp in its batch.
void put_record(ByteWriter& out, const ScannedRecord& record, std::int64_t timestamp_delta) {
  const std::size_t length = 1 + varint_size(timestamp_delta) + record.behind_timestamp.size();
  out.varint(static_cast<std::int64_t>(length));
  out.u8(record.attributes);
  out.varint(timestamp_delta);
  out.bytes(record.behind_timestamp);
}

}  // namespace

StoredBatch empty_batch(Offset base, Offset next) {
  BatchHeader header;
  header.base_offset = base;
  header.leader_epoch = LeaderEpoch(0);
  header.last_offset_delta = static_cast<std::int32_t>(next - base - 1);
  Buffer bytes;
  bytes.resize(kBatchHeaderSize);
  return {finish(std::move(bytes), header), base, next - 1};
}

bool extend_batch(StoredBatch& batch, Offset next) {
  const auto header = parse_batch_header(batch.bytes.view());
  if (!header || header->has_producer()) return false;
  std::uint8_t* const at = batch.bytes.mutable_data();
  store_be(at + kLastDeltaAt, static_cast<std::int32_t>(next - batch.base - 1));
  store_be(at + kCrcAt, compute_batch_crc(batch.bytes.view()));
  batch.last = next - 1;
  return true;
}

bool BatchFilter::scan(const BatchHeader& header, ByteView batch) {
  records_.clear();
  if (header.control()) return false;
  ByteView section = batch.subspan(kBatchHeaderSize);
  if (header.record_count == 0) return section.empty();
  if (header.compression() != Compression::none) {
    plain_.clear();
    const auto codec = static_cast<CompressionCodec>(header.compression());
    if (!decompress(codec, section, kMaxRecordsBytes, plain_)) return false;
    section = plain_.view();
  }
  RecordScan records(header, section);
  while (!records.done()) {
    const auto record = records.next();
    if (!record || (!records_.empty() && record->offset <= records_.back().offset)) return false;
    records_.push_back(*record);
  }
  return records.at_end();
}

std::optional<Offset> BatchFilter::learn(const BatchHeader& header, ByteView batch, KeyOffsets& newest,
                                         const SeededBugs& bugs) {
  if (!scan(header, batch)) return std::nullopt;
  for (const ScannedRecord& record : records_) {
    if (!record.key || (bugs.compaction_overlooks_tombstones && record.tombstone)) continue;
    if (!newest.put(*record.key, record.offset)) return record.offset;
  }
  return std::nullopt;
}

Result<FilteredBatch> BatchFilter::filter(const BatchHeader& header, SharedBytes batch, const FilterRules& rules) {
  FilteredBatch same{.bytes = batch,
                     .max_timestamp = header.max_timestamp,
                     .base_timestamp = header.base_timestamp,
                     .delete_horizon_ms = has_horizon(header) ? header.base_timestamp : kNoTimestamp};
  if (!scan(header, batch.view())) return same;
  const bool expired = has_horizon(header) && rules.now_ms >= header.base_timestamp;
  stays_.assign(records_.size(), true);
  std::size_t kept = 0;
  bool tombstones = false;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const ScannedRecord& record = records_[i];
    if (record.offset < rules.known_until) {
      const auto newest = record.key ? rules.newest->find(*record.key) : std::nullopt;
      const bool superseded =
          newest && (*newest > record.offset || (rules.bugs.compaction_drops_newest && *newest == record.offset));
      const bool gone = record.tombstone && (expired || rules.bugs.compaction_overlooks_tombstones);
      stays_[i] = record.key.has_value() && !superseded && !gone;
    }
    kept += stays_[i] ? 1 : 0;
    tombstones = tombstones || (stays_[i] && record.tombstone);
  }
  const bool new_horizon = tombstones && !has_horizon(header);
  if (kept == records_.size() && kept > 0 && !new_horizon) {
    if (!tombstones) same.delete_horizon_ms = kNoTimestamp;
    return same;
  }
  FilteredBatch out;
  out.dropped = static_cast<std::uint32_t>(records_.size() - kept);
  if (kept == 0) {
    const auto producer = rules.producers->find(header.producer_id);
    if (producer == rules.producers->end() || producer->second != header.last_offset()) return out;
    BatchHeader empty = header;
    empty.attributes = static_cast<std::int16_t>(header.attributes & ~(kCodecBits | kDeleteHorizonBit));
    empty.base_timestamp = kNoTimestamp;
    empty.max_timestamp = kNoTimestamp;
    empty.record_count = 0;
    Buffer bytes;
    bytes.resize(kBatchHeaderSize);
    out.bytes = finish(std::move(bytes), empty);
    return out;
  }
  const std::int64_t horizon = rules.now_ms + rules.delete_retention_ms;
  MR_TRY_ASSIGN(out, rewrite(header, batch.view(), new_horizon ? horizon : kNoTimestamp));
  out.dropped = static_cast<std::uint32_t>(records_.size() - kept);
  if (new_horizon) {
    out.delete_horizon_ms = horizon;
  } else if (tombstones) {
    out.delete_horizon_ms = header.base_timestamp;
  }
  return out;
}

Result<FilteredBatch> BatchFilter::rewrite(const BatchHeader& header, ByteView batch, std::int64_t horizon_ms) {
  BatchHeader next = header;
  if (horizon_ms != kNoTimestamp) {
    next.base_timestamp = horizon_ms;
    next.attributes = static_cast<std::int16_t>(header.attributes | kDeleteHorizonBit);
  }
  section_.clear();
  ByteWriter out(section_);
  std::int64_t newest = kNoTimestamp;
  next.record_count = 0;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (!stays_[i]) continue;
    const ScannedRecord& record = records_[i];
    // Whatever a producer wrote there: a time beyond 64 bits comes round, and back again.
    const auto timestamp = static_cast<std::int64_t>(static_cast<std::uint64_t>(header.base_timestamp) +
                                                     static_cast<std::uint64_t>(record.timestamp_delta));
    if (next.base_timestamp == header.base_timestamp) {
      out.bytes(record.bytes);
    } else {
      put_record(out, record,
                 static_cast<std::int64_t>(static_cast<std::uint64_t>(timestamp) -
                                           static_cast<std::uint64_t>(next.base_timestamp)));
    }
    newest = std::max(newest, timestamp);
    ++next.record_count;
  }
  if (!header.log_append_time()) next.max_timestamp = newest;
  Buffer bytes(kBatchHeaderSize + section_.size());
  bytes.append(batch.first(kBatchHeaderSize));
  if (header.compression() == Compression::none) {
    bytes.append(section_.view());
  } else {
    MR_TRY(compress(static_cast<CompressionCodec>(header.compression()), section_.view(), bytes));
  }
  FilteredBatch filtered;
  filtered.max_timestamp = next.max_timestamp;
  filtered.base_timestamp = next.base_timestamp;
  filtered.bytes = finish(std::move(bytes), next);
  return filtered;
}

}  // namespace millrace::storage
