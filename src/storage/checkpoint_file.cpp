#include "storage/checkpoint_file.h"

#include "base/byte_writer.h"
#include "codec/crc32c.h"

namespace millrace::storage {
namespace {

constexpr char kMagic[] = "MRCHKPNT";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kCleanFlag = 1;
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

std::unexpected<Error> damaged(const char* what) {
  return fail(ErrorCode::corrupt, "checkpoint is damaged", std::string("checkpoint: ") + what);
}

}  // namespace

Buffer encode_checkpoint(const Checkpoint& checkpoint) {
  Buffer buffer;
  ByteWriter out(buffer);
  out.text({kMagic, 8});
  out.le(kVersion);
  out.le(checkpoint.clean ? kCleanFlag : std::uint16_t{0});
  out.le(std::uint32_t{0});
  out.le(checkpoint.replay_from.generation.value());
  out.le(checkpoint.replay_from.offset);
  out.le(checkpoint.replay_from.sequence.value());
  out.le(checkpoint.next_partition.value());
  out.le(checkpoint.next_producer.value());
  out.le(static_cast<std::uint32_t>(checkpoint.partitions.size()));
  for (const PartitionCheckpoint& partition : checkpoint.partitions) {
    out.le(partition.id.value());
    encode_spec(buffer, partition.spec);
    out.le(partition.log_start.value());
    out.le(partition.next.value());
    out.le(static_cast<std::uint32_t>(partition.segments.size()));
    for (const SegmentState& segment : partition.segments) encode_segment(out, segment);
    partition.producers.encode(buffer);
  }
  // The flags stand before the CRC field: they are taken in by starting the CRC over them.
  const std::uint32_t flags_crc = crc32c(buffer.view(8, 4));
  store_le(buffer.data() + kCrcAt, crc32c(buffer.view().subspan(kCrcFrom), flags_crc));
  return buffer;
}

Result<Checkpoint> parse_checkpoint(ByteView bytes) {
  if (bytes.size() < kCrcFrom || as_text(bytes.first(8)) != std::string_view(kMagic, 8))
    return damaged("not a checkpoint");
  if (load_le<std::uint32_t>(bytes.data() + kCrcAt) != crc32c(bytes.subspan(kCrcFrom), crc32c(bytes.subspan(8, 4)))) {
    return damaged("checksum does not match");
  }
  const auto version = load_le<std::uint16_t>(bytes.data() + 8);
  const auto flags = load_le<std::uint16_t>(bytes.data() + 10);
  if (version != kVersion || flags > kCleanFlag) {
    return fail(ErrorCode::unsupported_version, "checkpoint was written by a newer millrace",
                "start the newer millrace again");
  }
  ByteReader in(bytes.subspan(kCrcFrom));
  Checkpoint checkpoint;
  checkpoint.clean = flags == kCleanFlag;
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
  if (!in.ok() || in.remaining() != 0) return damaged("length");
  return checkpoint;
}

}  // namespace millrace::storage
