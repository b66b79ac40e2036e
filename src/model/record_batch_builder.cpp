#include "model/record_batch_builder.h"

#include <algorithm>

#include "base/assert.h"
#include "base/byte_writer.h"
#include "model/record_batch.h"

namespace millrace {
namespace {

constexpr std::size_t kLeastRoom = 1_KiB;
constexpr std::size_t kMostKeptRoom = 16_KiB;  // of a builder between its batches

std::size_t nullable_size(const std::optional<ByteView>& bytes) {
  return bytes ? varint_size(static_cast<std::int64_t>(bytes->size())) + bytes->size() : 1;
}

std::uint8_t* put_bytes(std::uint8_t* at, ByteView bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

std::uint8_t* put_nullable(std::uint8_t* at, const std::optional<ByteView>& bytes) {
  if (!bytes) return put_varint(at, -1);
  return put_bytes(put_varint(at, static_cast<std::int64_t>(bytes->size())), *bytes);
}

// Bytes of key, value and headers: everything behind the two deltas.
std::size_t body_size(const RecordView& record) {
  std::size_t size = nullable_size(record.key) + nullable_size(record.value) +
                     varint_size(static_cast<std::int64_t>(record.headers.size()));
  for (const RecordHeader& header : record.headers) {
    size += varint_size(static_cast<std::int64_t>(header.key.size())) + header.key.size() + nullable_size(header.value);
  }
  return size;
}

}  // namespace

std::size_t RecordBatchBuilder::upper_bound(const RecordView& record) {
  return body_size(record) + 1 + 10 + 5 + 5;
}

void RecordBatchBuilder::append(const RecordView& record) {
  if (count_ == 0) {
    buffer_.reserve(std::max(reserve_hint_, kLeastRoom));
    buffer_.resize(kBatchHeaderSize);
    base_timestamp_ = record.timestamp_ms;
    max_timestamp_ = record.timestamp_ms;
  }
  max_timestamp_ = std::max(max_timestamp_, record.timestamp_ms);
  const std::int64_t timestamp_delta = record.timestamp_ms - base_timestamp_;
  const std::size_t length = 1 + varint_size(timestamp_delta) + varint_size(count_) + body_size(record);

  std::uint8_t* const start = buffer_.prepare(length + 10);
  std::uint8_t* at = put_varint(start, static_cast<std::int64_t>(length));
  *at++ = 0;
  at = put_varint(at, timestamp_delta);
  at = put_varint(at, count_);
  at = put_nullable(at, record.key);
  at = put_nullable(at, record.value);
  at = put_varint(at, static_cast<std::int64_t>(record.headers.size()));
  for (const RecordHeader& header : record.headers) {
    at = put_varint(at, static_cast<std::int64_t>(header.key.size()));
    at = put_bytes(at, as_bytes(header.key));
    at = put_nullable(at, header.value);
  }
  buffer_.commit(static_cast<std::size_t>(at - start));
  ++count_;
}

SharedBytes RecordBatchBuilder::finish(ProducerId producer, ProducerEpoch epoch, std::int32_t base_sequence) {
  MR_ASSERT(count_ > 0);
  std::uint8_t* const at = buffer_.data();
  store_be(at, std::int64_t{0});
  store_be(at + 8, static_cast<std::int32_t>(buffer_.size() - kBatchOverhead));
  store_be(at + 12, std::int32_t{0});
  at[16] = static_cast<std::uint8_t>(kBatchMagic);
  store_be(at + 21, std::int16_t{0});
  store_be(at + 23, count_ - 1);
  store_be(at + 27, base_timestamp_);
  store_be(at + 35, max_timestamp_);
  store_be(at + 43, producer.value());
  store_be(at + 51, epoch.value());
  store_be(at + 53, base_sequence);
  store_be(at + 57, count_);
  store_be(at + 17, compute_batch_crc(buffer_.view()));
  // The next batch will likely be about as large: reserving at once saves the doublings.
  reserve_hint_ = buffer_.size() + buffer_.size() / 8;
  count_ = 0;
  // A partition's tail keeps the bytes, and at a low rate a batch is one record: what would hold much more than it
  // needs is copied out. Giving the room back instead leaves holes between batches that no other batch fits.
  const bool mostly_room = buffer_.capacity() - buffer_.size() > buffer_.size() / 4;
  if (!mostly_room) return SharedBytes(std::exchange(buffer_, Buffer{}));
  SharedBytes copy = SharedBytes::copy_of(buffer_.view());
  if (buffer_.capacity() > kMostKeptRoom) buffer_ = Buffer{};
  buffer_.clear();
  return copy;
}

}  // namespace millrace
