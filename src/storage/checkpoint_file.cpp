#include "storage/checkpoint_file.h"

#include <algorithm>

#include "base/byte_writer.h"
#include "codec/crc32c.h"

namespace millrace::storage {
namespace {

constexpr char kMagic[] = "MRCHKPNT";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kCleanFlag = 1;
constexpr std::uint16_t kCompactedFlag = 2;   // a section about compacted segments follows the partitions
constexpr std::uint16_t kGenerationFlag = 4;  // of a clean stop: the journal's next generation stands at the end
constexpr std::uint8_t kSwapFlag = 1;
constexpr std::size_t kCompactedBytes = 4 + 4 + 1 + 8 + 8;
constexpr std::size_t kCrcAt = 12;
constexpr std::size_t kCrcFrom = 16;
constexpr std::size_t kSegmentBytes = 8 + 8 + 8 + 4 + 4 + 8 + 8 + 8 + 8 + 8 + 8;

void encode_segment(ByteWriter& out, const SegmentState& segment) {
  out.le(segment.base.value());
  out.le(segment.next.value());
  out.le(segment.size);
  out.le(segment.index_entries);
  out.le(segment.time_entries);
  out.le(segment.max_timestamp);
  out.le(segment.max_timestamp_offset.value());
  out.le(segment.last_time_entry);
  out.le(segment.created_ms);
  out.le(segment.last_append_ms);
  out.le(segment.bytes_since_index);
}

SegmentState decode_segment(ByteReader& in) {
  SegmentState segment;
  segment.base = Offset(in.le<std::int64_t>());
  segment.next = Offset(in.le<std::int64_t>());
  segment.size = in.le<std::uint64_t>();
  segment.index_entries = in.le<std::uint32_t>();
  segment.time_entries = in.le<std::uint32_t>();
  segment.max_timestamp = in.le<std::int64_t>();
  segment.max_timestamp_offset = Offset(in.le<std::int64_t>());
  segment.last_time_entry = in.le<std::int64_t>();
  segment.created_ms = in.le<std::int64_t>();
  segment.last_append_ms = in.le<std::int64_t>();
  segment.bytes_since_index = in.le<std::uint64_t>();
  return segment;
}

void encode_compacted(ByteWriter& out, std::span<const EncodedPartition* const> partitions) {
  std::size_t count = 0;
  for (const EncodedPartition* partition : partitions) count += partition->compacted.size();
  out.le(static_cast<std::uint32_t>(count));
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    for (const EncodedPartition::Compacted& segment : partitions[p]->compacted) {
      out.le(static_cast<std::uint32_t>(p));
      out.le(segment.segment);
      out.u8(segment.swap ? kSwapFlag : std::uint8_t{0});
      out.le(segment.clean_until.value());
      out.le(segment.delete_horizon_ms);
    }
  }
}

// False when the section does not fit the checkpoint.
bool decode_compacted(ByteReader& in, Checkpoint& checkpoint) {
  const auto count = in.le<std::uint32_t>();
  if (!in.fits(count, kCompactedBytes)) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto p = in.le<std::uint32_t>();
    const auto s = in.le<std::uint32_t>();
    const std::uint8_t flags = in.u8();
    if (p >= checkpoint.partitions.size() || s >= checkpoint.partitions[p].segments.size() || flags > kSwapFlag) {
      return false;
    }
    SegmentState& segment = checkpoint.partitions[p].segments[s];
    segment.compacted = true;
    segment.swap = flags == kSwapFlag;
    segment.clean_until = Offset(in.le<std::int64_t>());
    segment.delete_horizon_ms = in.le<std::int64_t>();
  }
  return in.ok();
}

std::unexpected<Error> damaged(const char* what) {
  return fail(ErrorCode::corrupt, "checkpoint is damaged", std::string("checkpoint: ") + what);
}

}  // namespace

EncodedPartition encode_partition(const PartitionCheckpoint& partition) {
  EncodedPartition encoded;
  ByteWriter out(encoded.bytes);
  out.le(partition.id.value());
  encode_spec(encoded.bytes, partition.spec);
  out.le(partition.log_start.value());
  out.le(partition.next.value());
  out.le(static_cast<std::uint32_t>(partition.segments.size()));
  for (std::uint32_t i = 0; i < partition.segments.size(); ++i) {
    const SegmentState& segment = partition.segments[i];
    encode_segment(out, segment);
    if (!segment.compacted) continue;
    encoded.compacted.push_back({i, segment.swap, segment.clean_until, segment.delete_horizon_ms});
  }
  partition.producers.encode(encoded.bytes);
  return encoded;
}

Buffer encode_checkpoint(const CheckpointHead& head, std::span<const EncodedPartition* const> partitions) {
  Buffer buffer;
  ByteWriter out(buffer);
  out.text({kMagic, 8});
  out.le(kVersion);
  const bool compacted = std::ranges::any_of(partitions, [](const auto* one) { return !one->compacted.empty(); });
  const bool generation = head.clean && head.next_generation != Generation(0);
  out.le(static_cast<std::uint16_t>((head.clean ? kCleanFlag : 0U) | (compacted ? kCompactedFlag : 0U) |
                                    (generation ? kGenerationFlag : 0U)));
  out.le(std::uint32_t{0});
  out.le(head.replay_from.generation.value());
  out.le(head.replay_from.offset);
  out.le(head.replay_from.sequence.value());
  out.le(head.next_partition.value());
  out.le(head.next_producer.value());
  out.le(static_cast<std::uint32_t>(partitions.size()));
  for (const EncodedPartition* partition : partitions) buffer.append(partition->bytes.view());
  if (compacted) encode_compacted(out, partitions);
  if (generation) out.le(head.next_generation.value());
  // The flags stand before the CRC field: they are taken in by starting the CRC over them.
  const std::uint32_t flags_crc = crc32c(buffer.view(8, 4));
  store_le(buffer.data() + kCrcAt, crc32c(buffer.view().subspan(kCrcFrom), flags_crc));
  return buffer;
}

Buffer encode_checkpoint(const Checkpoint& checkpoint) {
  std::vector<EncodedPartition> partitions;
  std::vector<const EncodedPartition*> pointers;
  partitions.reserve(checkpoint.partitions.size());
  for (const PartitionCheckpoint& partition : checkpoint.partitions) {
    pointers.push_back(&partitions.emplace_back(encode_partition(partition)));
  }
  return encode_checkpoint(checkpoint, pointers);
}

Result<Checkpoint> parse_checkpoint(ByteView bytes) {
  if (bytes.size() < kCrcFrom || as_text(bytes.first(8)) != std::string_view(kMagic, 8))
    return damaged("not a checkpoint");
  if (load_le<std::uint32_t>(bytes.data() + kCrcAt) != crc32c(bytes.subspan(kCrcFrom), crc32c(bytes.subspan(8, 4)))) {
    return damaged("checksum does not match");
  }
  const auto version = load_le<std::uint16_t>(bytes.data() + 8);
  const auto flags = load_le<std::uint16_t>(bytes.data() + 10);
  if (version != kVersion || flags > (kCleanFlag | kCompactedFlag | kGenerationFlag)) {
    return fail(ErrorCode::unsupported_version, "checkpoint was written by a newer millrace",
                "start the newer millrace again");
  }
  ByteReader in(bytes.subspan(kCrcFrom));
  Checkpoint checkpoint;
  checkpoint.clean = (flags & kCleanFlag) != 0;
  checkpoint.replay_from.generation = Generation(in.le<std::uint64_t>());
  checkpoint.replay_from.offset = in.le<std::uint64_t>();
  checkpoint.replay_from.sequence = GroupSequence(in.le<std::uint64_t>());
  checkpoint.next_partition = PartitionId(in.le<std::uint32_t>());
  checkpoint.next_producer = ProducerId(in.le<std::int64_t>());
  const auto count = in.le<std::uint32_t>();
  if (!in.fits(count, 100)) return damaged("partition count");
  for (std::uint32_t i = 0; i < count; ++i) {
    PartitionCheckpoint partition;
    partition.id = PartitionId(in.le<std::uint32_t>());
    Result<PartitionSpec> spec = decode_spec(in);
    if (!spec) return damaged("partition description");
    partition.spec = std::move(*spec);
    partition.log_start = Offset(in.le<std::int64_t>());
    partition.next = Offset(in.le<std::int64_t>());
    const auto segments = in.le<std::uint32_t>();
    if (!in.fits(segments, kSegmentBytes)) return damaged("segment count");
    partition.segments.reserve(segments);
    for (std::uint32_t s = 0; s < segments; ++s) partition.segments.push_back(decode_segment(in));
    Result<ProducerTable> producers = ProducerTable::decode(in);
    if (!producers) return damaged("producer state");
    partition.producers = std::move(*producers);
    checkpoint.partitions.push_back(std::move(partition));
  }
  if ((flags & kCompactedFlag) != 0 && !decode_compacted(in, checkpoint)) return damaged("compacted segments");
  if ((flags & kGenerationFlag) != 0) checkpoint.next_generation = Generation(in.le<std::uint64_t>());
  if (!in.ok() || in.remaining() != 0) return damaged("length");
  return checkpoint;
}

}  // namespace millrace::storage
