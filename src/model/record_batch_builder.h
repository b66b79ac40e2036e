// RecordBatchBuilder: encodes records straight into the bytes of one uncompressed v2 batch.
//
//   builder.append(record);  ...  SharedBytes batch = std::move(builder).finish();
//
// Record (all integers zig-zag varints): length, attributes i8 = 0, timestampDelta, offsetDelta, keyLength (-1 null),
// key, valueLength (-1 null), value, headerCount, {keyLength, key, valueLength, value}. Thread: one owner. Reusable
// after finish().
#pragma once

#include "base/buffer.h"
#include "model/ids.h"
#include "model/record.h"

namespace millrace {

class RecordBatchBuilder {
 public:
  void append(const RecordView& record);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::int32_t count() const { return count_; }
  /// Bytes so far, header included.
  [[nodiscard]] std::size_t size_bytes() const { return buffer_.size(); }
  /// Bytes the batch would have with `record` appended, at most (exact but for varint deltas).
  [[nodiscard]] static std::size_t upper_bound(const RecordView& record);

  /// Writes header and CRC, hands out the bytes and starts over. Requires !empty(). Base offset is 0; the log patches
  /// it.
  [[nodiscard]] SharedBytes finish(ProducerId producer = kNoProducer, ProducerEpoch epoch = kNoProducerEpoch,
                                   std::int32_t base_sequence = kNoSequence);

 private:
  Buffer buffer_;
  std::int32_t count_ = 0;
  std::int64_t base_timestamp_ = 0;
  std::int64_t max_timestamp_ = 0;
  std::size_t reserve_hint_ = 0;
};

}  // namespace millrace
