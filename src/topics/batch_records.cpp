#include "topics/batch_records.h"

#include "codec/compression.h"
#include "model/record_batch.h"

namespace millrace::topics {

Result<Offset> BatchRecords::visit(ByteView batch, Offset from, const std::function<void(const ReadRecord&)>& visit) {
  const auto header = parse_batch_header(batch);
  if (!header) return std::unexpected(header.error());
  if (header->control()) return header->next_offset();
  ByteView records = batch.subspan(kBatchHeaderSize);
  if (header->compression() != Compression::none) {
    decompressed_.clear();
    const auto codec = static_cast<CompressionCodec>(header->compression());
    if (auto done = decompress(codec, records, max_bytes_, decompressed_); !done) {
      return std::unexpected(done.error());
    }
    records = decompressed_.view();
  }
  RecordReader reader(*header, records);
  while (!reader.done()) {
    const auto record = reader.next();
    if (!record) return std::unexpected(record.error());
    if (record->offset >= from) visit(*record);
  }
  if (auto whole = reader.finish(); !whole) return std::unexpected(whole.error());
  return header->next_offset();
}

}  // namespace millrace::topics
