// BatchTemplate: one full record batch of a partition, encoded once. A batch with fewer records is its front; per batch
// the header, the stamps and the CRC are written anew, so making one costs a copy and a checksum. Kafka's record batch
// v2 (model/record_batch.h). Thread: immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/endian.h"
#include "model/record_batch.h"

namespace millrace::load {

class BatchTemplate {
 public:
  /// Values of `record_bytes` printable bytes (16 or more carry a stamp); as many records as fit in `batch_bytes`, at
  /// least one. `keys` are used in turn; empty: null keys.
  BatchTemplate(std::size_t record_bytes, std::size_t batch_bytes, const std::vector<std::string>& keys);

  struct Head {
    std::int64_t timestamp_ms = 0;
    ProducerId producer = kNoProducer;
    std::int16_t epoch = -1;
    std::int32_t base_sequence = kNoSequence;
  };
  [[nodiscard]] std::uint32_t max_records() const { return static_cast<std::uint32_t>(ends_.size()); }
  /// Bytes of a batch of `records` (1 to max_records()).
  [[nodiscard]] std::size_t size(std::uint32_t records) const { return ends_[records - 1]; }

  /// Appends a batch of `records`. `due(i)` gives the stamp of record i; it is not called for values without room for
  /// one.
  template <class Due>
  void append(Buffer& out, std::uint32_t records, const Head& head, Due&& due) const {
    std::uint8_t* const batch = copy(out, records);
    if (record_bytes_ >= kStampBytes) {
      for (std::uint32_t i = 0; i < records; ++i) store_be(batch + value_at(i), static_cast<std::uint64_t>(due(i)));
    }
    seal(batch, records, head);
  }
  static constexpr std::size_t kStampBytes = 8;

 private:
  [[nodiscard]] std::size_t value_at(std::uint32_t record) const { return ends_[record] - 1 - record_bytes_; }
  std::uint8_t* copy(Buffer& out, std::uint32_t records) const;
  void seal(std::uint8_t* batch, std::uint32_t records, const Head& head) const;

  SharedBytes bytes_;
  std::vector<std::size_t> ends_;  // of record i, from the start of the batch
  std::size_t record_bytes_;
};

}  // namespace millrace::load
