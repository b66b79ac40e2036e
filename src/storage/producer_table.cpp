#include "storage/producer_table.h"

#include <algorithm>
#include <limits>

#include "base/byte_writer.h"
#include "codec/crc32c.h"

namespace millrace::storage {
namespace {

constexpr std::int16_t kSnapshotVersion = 1;
constexpr std::size_t kSnapshotEntry = 46;
constexpr std::size_t kBatchBytes = 4 + 4 + 8 + 4 + 8;

// Sequence numbers count from 0 to 2^31-1 and start again.
std::int32_t next_sequence(std::int32_t last) {
  return last == std::numeric_limits<std::int32_t>::max() ? 0 : last + 1;
}

}  // namespace

void ProducerEntry::push(const ProducerBatch& batch) {
  if (count_ == kBatches) {
    std::shift_left(batches_.begin(), batches_.end(), 1);
    --count_;
  }
  batches_[count_++] = batch;
}

const ProducerBatch* ProducerEntry::find(std::int32_t first, std::int32_t last) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (batches_[i].first_sequence == first && batches_[i].last_sequence == last) return &batches_[i];
  }
  return nullptr;
}

ProducerVerdict judge(const ProducerEntry* known, const BatchHeader& header) {
  using Kind = ProducerVerdict::Kind;
  if (known == nullptr) return {Kind::accept, {}};
  if (header.producer_epoch < known->epoch) return {Kind::fenced, {}};
  if (header.producer_epoch > known->epoch) {
    return {header.base_sequence == 0 ? Kind::accept : Kind::out_of_order, {}};
  }
  if (const ProducerBatch* original = known->find(header.base_sequence, header.last_sequence())) {
    return {Kind::duplicate, *original};
  }
  if (known->size() == 0) return {Kind::accept, {}};
  return {header.base_sequence == next_sequence(known->newest().last_sequence) ? Kind::accept : Kind::out_of_order, {}};
}

void accept(ProducerEntry& entry, const BatchHeader& header, Offset base_offset, std::int64_t now_ms) {
  if (entry.epoch != header.producer_epoch) {
    entry.clear();
    entry.epoch = header.producer_epoch;
  }
  entry.last_seen_ms = now_ms;
  entry.push({.first_sequence = header.base_sequence,
              .last_sequence = header.last_sequence(),
              .last_offset = base_offset + header.last_offset_delta,
              .offset_delta = header.last_offset_delta,
              .timestamp_ms = header.max_timestamp});
}

const ProducerEntry* ProducerTable::find(ProducerId id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : &it->second;
}

std::unordered_map<ProducerId, Offset> ProducerTable::ends() const {
  std::unordered_map<ProducerId, Offset> ends;
  ends.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) {
    if (entry.size() > 0) ends.emplace(id, entry.newest().last_offset);
  }
  return ends;
}

void ProducerTable::apply(const BatchHeader& header, std::int64_t now_ms) {
  if (header.has_producer()) accept(entries_[header.producer_id], header, header.base_offset, now_ms);
}

bool ProducerTable::expire(std::int64_t now_ms, std::int64_t age_ms) {
  return std::erase_if(entries_, [&](const auto& item) { return now_ms - item.second.last_seen_ms > age_ms; }) != 0;
}

std::vector<ProducerId> ProducerTable::sorted_ids() const {
  std::vector<ProducerId> ids;
  ids.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) ids.push_back(id);
  std::ranges::sort(ids);
  return ids;
}

std::vector<ProducerState> ProducerTable::states() const {
  std::vector<ProducerState> states;
  states.reserve(entries_.size());
  for (const ProducerId id : sorted_ids()) {
    const ProducerEntry& entry = entries_.at(id);
    const ProducerBatch newest = entry.size() == 0 ? ProducerBatch{} : entry.newest();
    states.push_back({id, entry.epoch, newest.last_sequence, newest.timestamp_ms});
  }
  return states;
}

void ProducerTable::encode(Buffer& buffer) const {
  ByteWriter out(buffer);
  out.le(static_cast<std::uint32_t>(entries_.size()));
  for (const ProducerId id : sorted_ids()) {
    const ProducerEntry& entry = entries_.at(id);
    out.le(id.value());
    out.le(entry.epoch.value());
    out.le(entry.last_seen_ms);
    out.u8(static_cast<std::uint8_t>(entry.size()));
    for (std::size_t i = 0; i < entry.size(); ++i) {
      const ProducerBatch& batch = entry.at(i);
      out.le(batch.first_sequence);
      out.le(batch.last_sequence);
      out.le(batch.last_offset.value());
      out.le(batch.offset_delta);
      out.le(batch.timestamp_ms);
    }
  }
}

Result<ProducerTable> ProducerTable::decode(ByteReader& in) {
  ProducerTable table;
  const auto count = in.le<std::uint32_t>();
  if (!in.fits(count, 19)) return fail(ErrorCode::malformed, "producer state");
  for (std::uint32_t i = 0; i < count; ++i) {
    const ProducerId id(in.le<std::int64_t>());
    ProducerEntry entry;
    entry.epoch = ProducerEpoch(in.le<std::int16_t>());
    entry.last_seen_ms = in.le<std::int64_t>();
    const std::uint8_t batches = in.u8();
    if (batches > ProducerEntry::kBatches || !in.fits(batches, kBatchBytes))
      return fail(ErrorCode::malformed, "producer state");
    for (std::uint8_t b = 0; b < batches; ++b) {
      ProducerBatch batch;
      batch.first_sequence = in.le<std::int32_t>();
      batch.last_sequence = in.le<std::int32_t>();
      batch.last_offset = Offset(in.le<std::int64_t>());
      batch.offset_delta = in.le<std::int32_t>();
      batch.timestamp_ms = in.le<std::int64_t>();
      entry.push(batch);
    }
    table.put(id, entry);
  }
  if (!in.ok()) return fail(ErrorCode::malformed, "producer state");
  return table;
}

Buffer ProducerTable::kafka_snapshot() const {
  Buffer buffer;
  ByteWriter out(buffer);
  out.be(kSnapshotVersion);
  out.be(std::uint32_t{0});
  out.be(static_cast<std::int32_t>(entries_.size()));
  for (const ProducerId id : sorted_ids()) {
    const ProducerEntry& entry = entries_.at(id);
    const ProducerBatch newest = entry.size() == 0 ? ProducerBatch{} : entry.newest();
    out.be(id.value());
    out.be(entry.epoch.value());
    out.be(newest.last_sequence);
    out.be(newest.last_offset.value());
    out.be(newest.offset_delta);
    out.be(newest.timestamp_ms);
    out.be(std::int32_t{-1});  // coordinator epoch: no transactions
    out.be(std::int64_t{-1});  // first offset of the current transaction
  }
  store_be(buffer.data() + 2, crc32c(buffer.view().subspan(6)));
  return buffer;
}

Result<std::vector<SnapshotEntry>> parse_kafka_snapshot(ByteView bytes) {
  ByteReader in(bytes);
  const auto version = in.be<std::int16_t>();
  const auto crc = in.be<std::uint32_t>();
  const auto count = in.be<std::int32_t>();
  if (!in.ok() || version != kSnapshotVersion || count < 0 ||
      in.remaining() != static_cast<std::size_t>(count) * kSnapshotEntry || crc != crc32c(bytes.subspan(6))) {
    return fail(ErrorCode::corrupt, "producer snapshot is damaged");
  }
  std::vector<SnapshotEntry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i) {
    SnapshotEntry entry;
    entry.id = ProducerId(in.be<std::int64_t>());
    entry.epoch = ProducerEpoch(in.be<std::int16_t>());
    entry.last_sequence = in.be<std::int32_t>();
    entry.last_offset = Offset(in.be<std::int64_t>());
    in.skip(4 + 8 + 4 + 8);
    if (entry.last_sequence != kNoSequence) entries.push_back(entry);
  }
  return entries;
}

}  // namespace millrace::storage
