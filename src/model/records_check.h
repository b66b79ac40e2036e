// Whether the records of a batch are what its header says, without making anything of them: each inside the batch, its
// fields inside the record, offsets counting up by one, nothing left over. As Kafka's LogValidator. Thread: any.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/record_batch.h"

namespace millrace {

/// `records` is the section behind the header, uncompressed. `keyless`: keys are required, as in compacted topics, and
/// the indices of records without one are put there. Errors: malformed, invalid_argument (records without a key).
Result<void> check_records(const BatchHeader& header, ByteView records, std::vector<std::int32_t>* keyless);

}  // namespace millrace
