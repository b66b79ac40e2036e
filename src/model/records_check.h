// Whether the records of a batch are what its header says, without making anything of them: each inside the batch, its
// fields inside the record, offsets counting up by one, nothing left over. As Kafka's LogValidator. Thread: any.
#pragma once

#include "base/result.h"
#include "model/record_batch.h"

namespace millrace {

/// `records` is the section behind the header, uncompressed. `keys_required`: as in compacted topics. Errors:
/// malformed, invalid_argument (a record without a key).
Result<void> check_records(const BatchHeader& header, ByteView records, bool keys_required);

}  // namespace millrace
