// BatchWalker: goes through the record batches of a .log file and checks what chains them: magic, length within the
// file, leader epoch 0, and that each batch begins where the one before ended. The batch's
// own CRC covers the rest (payload() + batch_crc_matches). Thread: one owner; may run beside a writer that appends
// behind `end`.
#pragma once

#include <optional>

#include "model/record_batch.h"
#include "storage/file_window.h"

namespace millrace::storage {

struct BatchAt {
  std::uint64_t position = 0;
  BatchHeader header;
};

class BatchWalker {
 public:
  /// Walks [position, end). `expected` is the base offset that the first batch must have, when it is known.
  BatchWalker(io::File& file, std::uint64_t position, std::uint64_t end, std::optional<Offset> expected,
              std::size_t read_ahead = 64_KiB)
      : window_(file, end, read_ahead), position_(position), expected_(expected) {}

  /// Where the next batch begins; after an error, where the bad one does.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  /// nullopt at the end. malformed: what stands at position() is not the batch that must be there.
  Result<std::optional<BatchAt>> next() {
    if (position_ >= window_.end()) return std::nullopt;
    MR_TRY_ASSIGN(const ByteView bytes, window_.at(position_, kBatchHeaderSize));
    auto header = parse_batch_header(bytes);
    if (!header) return fail(ErrorCode::malformed, header.error().context);
    if (header->size_bytes() > window_.end() - position_)
      return fail(ErrorCode::malformed, "record batch reaches past the segment");
    if (header->leader_epoch.value() != 0)
      return fail(ErrorCode::malformed, "record batch has a leader epoch that was never used");
    if (expected_ && header->base_offset != *expected_) {
      return fail(ErrorCode::malformed, "record batch does not begin at the next offset");
    }
    const BatchAt found{position_, *header};
    position_ += header->size_bytes();
    expected_ = header->next_offset();
    return found;
  }

  /// The bytes of a batch that next() returned.
  Result<ByteView> payload(const BatchAt& batch) {
    MR_TRY_ASSIGN(const ByteView bytes, window_.at(batch.position, batch.header.size_bytes()));
    if (bytes.size() < batch.header.size_bytes())
      return fail(ErrorCode::malformed, "segment file ends inside a record batch");
    return bytes;
  }

 private:
  FileWindow window_;
  std::uint64_t position_;
  std::optional<Offset> expected_;
};

}  // namespace millrace::storage
