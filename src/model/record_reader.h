// RecordReader: walks the records of one batch whose records section is uncompressed (or was decompressed by the
// caller). Every length is checked against the bytes that are there.
#pragma once

#include <vector>

#include "base/byte_reader.h"
#include "base/result.h"
#include "model/record.h"
#include "model/record_batch.h"

namespace millrace {

struct ReadRecord {
  Offset offset;
  RecordView record;  // views into the batch; headers into the reader, valid until the next call
};

class RecordReader {
 public:
  /// `records` is the section behind the header, uncompressed; `header` the batch's.
  RecordReader(const BatchHeader& header, ByteView records) : header_(header), reader_(records) {}
  /// For an uncompressed batch: both parts at once. Requires a parsed header.
  static RecordReader of_batch(const BatchHeader& header, ByteView batch) {
    return {header, batch.subspan(kBatchHeaderSize)};
  }

  [[nodiscard]] bool done() const { return read_ == header_.record_count; }
  /// The next record; malformed when the bytes do not hold it. Requires !done().
  Result<ReadRecord> next();
  /// malformed unless every record was read and nothing is left.
  Result<void> finish() const;

 private:
  BatchHeader header_;
  ByteReader reader_;
  std::int32_t read_ = 0;
  std::vector<RecordHeader> headers_;
};

}  // namespace millrace
