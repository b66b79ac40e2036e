#include "topics/batch_rules.h"

#include "base/endian.h"
#include "codec/compression.h"

namespace millrace::topics {
namespace {

using storage::LogConfig;
using storage::StoredCompression;

constexpr std::size_t kMaxRecordBytes = 256_MiB;
constexpr std::int16_t kCodecBits = 0x07;

CompressionCodec codec_of(StoredCompression wanted) {
  switch (wanted) {
    case StoredCompression::gzip:
      return CompressionCodec::gzip;
    case StoredCompression::snappy:
      return CompressionCodec::snappy;
    case StoredCompression::lz4:
      return CompressionCodec::lz4;
    case StoredCompression::zstd:
      return CompressionCodec::zstd;
    case StoredCompression::producer:
    case StoredCompression::uncompressed:
      break;
  }
  return CompressionCodec::none;
}

}  // namespace

Result<void> check_timestamps(const BatchHeader& header, const LogConfig& config, std::int64_t now_ms) {
  if (config.log_append_time) return {};
  if (header.max_timestamp > now_ms && header.max_timestamp - now_ms > config.timestamp_after_max_ms) {
    return fail(ErrorCode::out_of_range, "a timestamp is farther ahead than message.timestamp.after.max.ms allows");
  }
  const bool known = header.base_timestamp != kNoTimestamp;
  if (known && header.base_timestamp < now_ms && now_ms - header.base_timestamp > config.timestamp_before_max_ms) {
    return fail(ErrorCode::out_of_range, "a timestamp is farther back than message.timestamp.before.max.ms allows");
  }
  return {};
}

Result<SharedBytes> as_kept(const BatchHeader& header, SharedBytes batch, StoredCompression wanted) {
  const CompressionCodec codec = codec_of(wanted);
  const auto present = static_cast<CompressionCodec>(header.compression());
  if (wanted == StoredCompression::producer || codec == present) return batch;
  ByteView records = batch.view().subspan(kBatchHeaderSize);
  Buffer plain;
  if (present != CompressionCodec::none) {
    MR_TRY(decompress(present, records, kMaxRecordBytes, plain));
    records = plain.view();
  }
  Buffer kept(kBatchHeaderSize + records.size());
  kept.append(batch.view().first(kBatchHeaderSize));
  if (codec == CompressionCodec::none) {
    kept.append(records);
  } else {
    MR_TRY(compress(codec, records, kept));
  }
  constexpr std::size_t kLengthAt = 8;
  constexpr std::size_t kCrcAt = 17;
  constexpr std::size_t kAttributesAt = 21;
  store_be(kept.data() + kLengthAt, static_cast<std::int32_t>(kept.size() - kBatchOverhead));
  store_be(kept.data() + kAttributesAt,
           static_cast<std::int16_t>((header.attributes & ~kCodecBits) | static_cast<int>(codec)));
  store_be(kept.data() + kCrcAt, compute_batch_crc(kept.view()));
  return SharedBytes(std::move(kept));
}

}  // namespace millrace::topics
