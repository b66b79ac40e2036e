// Compaction of one batch of anybody's making. The input gives the header's fields and the records' bytes, compressed
// or not; length and checksum are made right, as the log has checked them before. What comes out: the batch as it was,
// or one with the same first and last offset, producer and sequences, whose records are some of those that went in, in
// order, each with its bytes and its time, and never without the newest of a key unless that is an expired tombstone.
// Filtered once more it stays as it is.
#include <algorithm>

#include "base/assert.h"
#include "base/byte_reader.h"
#include "base/endian.h"
#include "codec/compression.h"
#include "storage/batch_filter.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kMostRecords = 1_MiB;

struct Records {
  bool decoded = false;
  Buffer plain;
  std::vector<ScannedRecord> all;
};

// Comes round beyond 64 bits.
std::uint64_t time_at(std::int64_t base, std::int64_t delta) {
  return static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(delta);
}

// As a consumer reads them, or not at all.
Records records_of(ByteView batch) {
  Records records;
  const auto header = parse_batch_header(batch);
  if (!header || header->control()) return records;
  ByteView section = batch.subspan(kBatchHeaderSize);
  if (header->compression() != Compression::none && header->record_count > 0) {
    if (!decompress(static_cast<CompressionCodec>(header->compression()), section, kMostRecords, records.plain)) {
      return records;
    }
    section = records.plain.view();
  }
  RecordScan scan(*header, section);
  while (!scan.done()) {
    const auto record = scan.next();
    if (!record || (!records.all.empty() && record->offset <= records.all.back().offset)) return records;
    records.all.push_back(*record);
  }
  records.decoded = scan.at_end();
  return records;
}

SharedBytes make_batch(ByteReader& in) {
  Buffer batch;
  batch.resize(kBatchHeaderSize);
  std::uint8_t* const at = batch.data();
  std::fill_n(at, kBatchHeaderSize, std::uint8_t{0});
  const std::uint8_t attributes = in.u8();
  store_be(at, std::int64_t{1000});
  at[16] = static_cast<std::uint8_t>(kBatchMagic);
  store_be(at + 21, static_cast<std::int16_t>(attributes & 0x6F));
  store_be(at + 23, std::int32_t{in.u8()});         // last offset delta
  store_be(at + 27, std::int64_t{in.u8()} * 1000);  // base timestamp
  store_be(at + 35, std::int64_t{in.u8()} * 1000);  // largest timestamp
  const bool producer = (attributes & 0x80) != 0;
  store_be(at + 43, std::int64_t{producer ? 7 : -1});
  store_be(at + 51, static_cast<std::int16_t>(producer ? 1 : -1));
  store_be(at + 53, std::int32_t{producer ? 5 : -1});
  store_be(at + 57, std::int32_t{in.u8()});
  const ByteView records = in.bytes(in.remaining());
  const int codec = attributes & 0x07;
  // Half of the compressed ones are really so; of the others the decompressor has to make something.
  if (codec > 0 && codec < 5 && (attributes & 0x40) == 0) {
    if (!compress(static_cast<CompressionCodec>(codec), records, batch)) return {};
  } else {
    batch.append(records);
  }
  store_be(batch.data() + 8, static_cast<std::int32_t>(batch.size() - kBatchOverhead));
  store_be(batch.data() + 17, compute_batch_crc(batch.view()));
  return SharedBytes(std::move(batch));
}

void check(const BatchHeader& before, const Records& in, const FilteredBatch& filtered, const FilterRules& rules) {
  if (filtered.bytes.empty()) {
    MR_ASSERT(in.decoded && filtered.dropped == in.all.size());
  } else {
    const auto after = parse_batch_header(filtered.bytes.view());
    MR_ASSERT(after && after->size_bytes() == filtered.bytes.size() && batch_crc_matches(filtered.bytes.view()));
    MR_ASSERT(after->base_offset == before.base_offset && after->last_offset() == before.last_offset());
    MR_ASSERT(after->producer_id == before.producer_id && after->producer_epoch == before.producer_epoch &&
              after->base_sequence == before.base_sequence);
  }
  if (!in.decoded) return;
  const Records out = filtered.bytes.empty() ? Records{} : records_of(filtered.bytes.view());
  MR_ASSERT(filtered.bytes.empty() || out.decoded);
  MR_ASSERT(out.all.size() + filtered.dropped == in.all.size());
  const std::int64_t base_after =
      filtered.bytes.empty() ? 0 : parse_batch_header(filtered.bytes.view())->base_timestamp;
  auto next = out.all.begin();
  for (const ScannedRecord& record : in.all) {
    const bool stays = next != out.all.end() && next->offset == record.offset;
    if (!stays) {
      const bool newest = record.key && rules.newest->find(*record.key) == record.offset;
      MR_ASSERT(record.offset < rules.known_until);
      MR_ASSERT(!newest || record.tombstone);
      continue;
    }
    MR_ASSERT(std::ranges::equal(next->behind_timestamp, record.behind_timestamp));
    MR_ASSERT(time_at(base_after, next->timestamp_delta) == time_at(before.base_timestamp, record.timestamp_delta));
    ++next;
  }
  MR_ASSERT(next == out.all.end());
}

}  // namespace
}  // namespace millrace::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::storage;
  ByteReader in(ByteView(data, size));
  const std::uint8_t knowledge = in.u8();
  const std::uint8_t now = in.u8();
  SharedBytes batch = make_batch(in);
  if (!in.ok() || batch.empty()) return 0;
  const auto header = parse_batch_header(batch.view());
  if (!header) return 0;
  const Records records = records_of(batch.view());
  BatchFilter filter;
  KeyOffsets newest((knowledge & 1U) != 0 ? 200 : 1_MiB, knowledge);
  const auto no_room = filter.learn(*header, batch.view(), newest, {});
  MR_ASSERT(!no_room || (*no_room >= header->base_offset && *no_room <= header->last_offset()));
  // Newer records of some keys.
  for (std::size_t i = 0; i < records.all.size(); ++i) {
    const bool superseded = ((knowledge >> (1 + i % 7)) & 1U) != 0;
    if (superseded && records.all[i].key) (void)newest.put(*records.all[i].key, Offset(5000));
  }
  std::unordered_map<ProducerId, Offset> producers;
  if ((knowledge & 2U) != 0) producers[ProducerId(7)] = header->last_offset();
  const FilterRules rules{.newest = &newest,
                          .known_until = no_room.value_or(Offset(2000)),
                          .now_ms = std::int64_t{now} * 1000,
                          .delete_retention_ms = 10'000,
                          .producers = &producers,
                          .bugs = {}};
  const auto filtered = filter.filter(*header, SharedBytes::copy_of(batch.view()), rules);
  if (!filtered) return 0;  // the codec refused
  check(*header, records, *filtered, rules);
  if (filtered->bytes.empty()) return 0;
  const auto again = filter.filter(*parse_batch_header(filtered->bytes.view()), filtered->bytes, rules);
  MR_ASSERT(again && (again->dropped == 0 || filtered->delete_horizon_ms <= rules.now_ms));
  return 0;
}
