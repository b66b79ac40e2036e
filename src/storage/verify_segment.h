// The checks of one segment for verify_directory(): log, offset index and time index against each other and the
// checkpoint. Thread: any; one segment at a time.
#pragma once

#include <functional>
#include <string>

#include "model/record_batch.h"
#include "storage/segment_state.h"
#include "storage/verify.h"

namespace millrace::storage {

/// `exact`: the files must end where `state` says; otherwise they may go on (written after the last checkpoint).
/// `batch` gets every batch in order.
Result<void> verify_segment(io::FileSystem& files, const std::string& directory, const SegmentState& state, bool exact,
                            bool deep, const std::function<void(const BatchHeader&)>& batch, VerifyReport& report);

/// Every record of `batch` parses, decompressed if need be. The reason in words, or nullptr when all is well.
[[nodiscard]] const char* check_records(ByteView batch, std::uint64_t& records);

}  // namespace millrace::storage
