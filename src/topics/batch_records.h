// BatchRecords: the records of one batch as a log gives it to readers, whatever its compression. For everything inside
// millrace that consumes topics: tables, coordinators, sinks. Thread: one owner; keep it, its memory is reused.
#pragma once

#include <cstddef>
#include <functional>

#include "base/buffer.h"
#include "base/result.h"
#include "model/ids.h"
#include "model/record_reader.h"

namespace millrace::topics {

class BatchRecords {
 public:
  /// A batch whose records decompress to more than `max_bytes` is refused (too_large).
  explicit BatchRecords(std::size_t max_bytes = 256_MiB) : max_bytes_(max_bytes) {}

  /// Calls `visit` for every record of `batch` with an offset of at least `from`, in offset order; the views are valid
  /// during the call. Control batches have no records for consumers. Returns the offset behind the batch. Errors:
  /// malformed, too_large; records visited before the fault count.
  Result<Offset> visit(ByteView batch, Offset from, const std::function<void(const ReadRecord&)>& visit);

 private:
  std::size_t max_bytes_;
  Buffer decompressed_;
};

}  // namespace millrace::topics
