// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of Kafka's record batches and of millrace's own files.
// Uses the processor's instruction where there is one (three interleaved streams), a table otherwise. Thread: any.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace millrace {

/// CRC of `bytes`, continuing from `crc` (0 to start): crc32c(b, crc32c(a)) is the CRC of a followed by b.
[[nodiscard]] std::uint32_t crc32c(ByteView bytes, std::uint32_t crc = 0);

/// The table form, for machines without the instruction and as the oracle of the tests.
[[nodiscard]] std::uint32_t crc32c_portable(ByteView bytes, std::uint32_t crc = 0);

}  // namespace millrace
