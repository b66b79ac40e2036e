// RecordScan: walks the records of one batch as far as compaction needs them: where each begins, its key, whether it
// is a tombstone. Headers and values are passed over. Every length is checked against the bytes that are there.
// Thread: one owner; views are into the section given.
#pragma once

#include <optional>

#include "base/byte_reader.h"
#include "base/result.h"
#include "model/record_batch.h"

namespace millrace::storage {

struct ScannedRecord {
  Offset offset;
  std::int64_t timestamp_delta = 0;
  std::optional<ByteView> key;
  bool tombstone = false;
  std::uint8_t attributes = 0;
  ByteView bytes;             // the whole record, its length in front included
  ByteView behind_timestamp;  // from the offset delta to its end
};

class RecordScan {
 public:
  /// `section`: the records of the batch, uncompressed.
  RecordScan(const BatchHeader& header, ByteView section) : header_(header), section_(section), reader_(section) {}

  [[nodiscard]] bool done() const { return read_ == header_.record_count; }
  /// Nothing is left behind the last record.
  [[nodiscard]] bool at_end() const { return done() && reader_.remaining() == 0; }

  /// malformed when the bytes do not hold the next record. Requires !done().
  Result<ScannedRecord> next() {
    const std::size_t start = section_.size() - reader_.remaining();
    const std::int64_t length = reader_.varint(5);
    if (!reader_.ok() || length < 0) return fail(ErrorCode::malformed, "record length");
    const ByteView content = reader_.bytes(static_cast<std::size_t>(length));
    if (!reader_.ok()) return fail(ErrorCode::malformed, "record reaches past its batch");
    ByteReader body(content);
    ScannedRecord record;
    record.attributes = body.u8();
    record.timestamp_delta = body.varint(10);
    record.behind_timestamp = content.subspan(content.size() - body.remaining());
    const std::int64_t offset_delta = body.varint(5);
    if (!body.ok() || offset_delta < 0 || offset_delta > header_.last_offset_delta) {
      return fail(ErrorCode::malformed, "record offset outside its batch");
    }
    record.offset = header_.base_offset + offset_delta;
    const std::int64_t key = body.varint(5);
    if (key < -1) return fail(ErrorCode::malformed, "record key length");
    if (key >= 0) record.key = body.bytes(static_cast<std::size_t>(key));
    const std::int64_t value = body.varint(5);
    if (value < -1) return fail(ErrorCode::malformed, "record value length");
    record.tombstone = value == -1;
    if (value > 0) body.bytes(static_cast<std::size_t>(value));
    if (!body.ok()) return fail(ErrorCode::malformed, "record length does not fit its fields");
    record.bytes = section_.subspan(start, section_.size() - reader_.remaining() - start);
    ++read_;
    return record;
  }

 private:
  BatchHeader header_;
  ByteView section_;
  ByteReader reader_;
  std::int32_t read_ = 0;
};

}  // namespace millrace::storage
