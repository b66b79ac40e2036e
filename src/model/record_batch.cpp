#include "model/record_batch.h"

#include <limits>

#include "base/endian.h"
#include "codec/crc32c.h"

namespace millrace {
namespace {

constexpr std::size_t kCrcAt = 17;
constexpr std::size_t kAttributesAt = 21;

}  // namespace

std::int32_t BatchHeader::last_sequence() const {
  if (base_sequence == kNoSequence) return kNoSequence;
  const std::int64_t last = static_cast<std::int64_t>(base_sequence) + last_offset_delta;
  constexpr std::int64_t kWrap = static_cast<std::int64_t>(std::numeric_limits<std::int32_t>::max()) + 1;
  return static_cast<std::int32_t>(last % kWrap);
}

Result<BatchHeader> parse_batch_header(ByteView bytes) {
  if (bytes.size() < kBatchHeaderSize) return fail(ErrorCode::malformed, "record batch shorter than its header");
  const std::uint8_t* at = bytes.data();
  BatchHeader header;
  header.base_offset = Offset(load_be<std::int64_t>(at));
  header.batch_length = load_be<std::int32_t>(at + 8);
  header.leader_epoch = LeaderEpoch(load_be<std::int32_t>(at + 12));
  header.magic = static_cast<std::int8_t>(at[16]);
  header.crc = load_be<std::uint32_t>(at + kCrcAt);
  header.attributes = load_be<std::int16_t>(at + kAttributesAt);
  header.last_offset_delta = load_be<std::int32_t>(at + 23);
  header.base_timestamp = load_be<std::int64_t>(at + 27);
  header.max_timestamp = load_be<std::int64_t>(at + 35);
  header.producer_id = ProducerId(load_be<std::int64_t>(at + 43));
  header.producer_epoch = ProducerEpoch(load_be<std::int16_t>(at + 51));
  header.base_sequence = load_be<std::int32_t>(at + 53);
  header.record_count = load_be<std::int32_t>(at + 57);
  if (header.magic != kBatchMagic) return fail(ErrorCode::unsupported_version, "record batch magic is not 2");
  if (header.batch_length < static_cast<std::int32_t>(kBatchHeaderSize - kBatchOverhead)) {
    return fail(ErrorCode::malformed, "record batch length is less than its header");
  }
  if ((header.attributes & 0x07) > static_cast<int>(Compression::zstd)) {
    return fail(ErrorCode::malformed, "record batch names an unknown compression codec");
  }
  if (header.last_offset_delta < 0 || header.record_count < 0) {
    return fail(ErrorCode::malformed, "record batch counts are negative");
  }
  return header;
}

std::uint32_t compute_batch_crc(ByteView batch) {
  return crc32c(batch.subspan(kAttributesAt));
}

bool batch_crc_matches(ByteView batch) {
  return batch.size() >= kBatchHeaderSize && load_be<std::uint32_t>(batch.data() + kCrcAt) == compute_batch_crc(batch);
}

void patch_base_offset(MutableByteView batch, Offset base_offset, LeaderEpoch epoch) {
  store_be(batch.data(), base_offset.value());
  store_be(batch.data() + 12, epoch.value());
}

Result<BatchHeader> validate_produced_batch(ByteView batch) {
  MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(batch));
  if (header.size_bytes() != batch.size()) {
    return fail(ErrorCode::malformed, "record batch length does not equal the bytes that came");
  }
  if (header.record_count == 0 || header.last_offset_delta != header.record_count - 1) {
    return fail(ErrorCode::invalid_argument, "record batch count does not equal lastOffsetDelta + 1");
  }
  if (header.control()) return fail(ErrorCode::invalid_argument, "clients may not write control batches");
  if (header.has_producer() && (header.producer_epoch.value() < 0 || header.base_sequence < 0)) {
    return fail(ErrorCode::invalid_argument, "record batch has a producer id but no epoch or sequence");
  }
  // A record takes at least 7 bytes (length, attributes, two deltas, key and value lengths, header count), so an
  // uncompressed batch cannot claim more records than that.
  if (header.compression() == Compression::none &&
      static_cast<std::size_t>(header.record_count) > (batch.size() - kBatchHeaderSize) / 7) {
    return fail(ErrorCode::malformed, "record batch claims more records than its bytes can hold");
  }
  if (!batch_crc_matches(batch)) return fail(ErrorCode::corrupt, "record batch CRC does not match");
  return header;
}

}  // namespace millrace
