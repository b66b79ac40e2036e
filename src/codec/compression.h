// The four compressions of Kafka's record batches: gzip (RFC 1952), snappy (raw and in xerial's framing), LZ4 frames,
// zstd (RFC 8878).
//
// Decompression writes at most `max_output` bytes: it streams, grows the output as bytes appear and believes no size
// that the input declares, so a bomb costs its input and the cap, not what it claims. Thread: any, nothing is shared.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/result.h"

namespace millrace {

/// Values as in the attributes of a record batch.
enum class CompressionCodec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

/// Appends the whole decompressed content to `out`. Errors: malformed (broken, truncated, or bytes behind the end),
/// too_large (more than `max_output`), invalid_argument (unknown codec). On an error `out` may hold a part of the
/// content.
Result<void> decompress(CompressionCodec codec, ByteView input, std::size_t max_output, Buffer& out);

/// Appends `input` compressed, in the form that Kafka's Java clients write. internal when the library refuses.
Result<void> compress(CompressionCodec codec, ByteView input, Buffer& out);

}  // namespace millrace
