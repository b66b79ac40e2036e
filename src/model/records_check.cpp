#include "model/records_check.h"

#include "base/byte_reader.h"

namespace millrace {
namespace {

// Skips a field whose length may be -1 (null); false when it is.
bool skip_nullable(ByteReader& reader) {
  const std::int64_t length = reader.varint(5);
  if (length < -1) reader.fail();
  if (length <= 0 || !reader.ok()) return length == 0;
  reader.skip(static_cast<std::size_t>(length));
  return true;
}

// Whether it has a key.
Result<bool> check_record(ByteReader& body, std::int32_t index) {
  body.u8();        // attributes, unused in v2
  body.varint(10);  // timestamp delta
  if (body.varint(5) != index) {
    return fail(ErrorCode::malformed, "record offsets do not count up by one");
  }
  const bool has_key = skip_nullable(body);
  skip_nullable(body);
  const std::int64_t headers = body.varint(5);
  if (!body.ok() || headers < 0) return fail(ErrorCode::malformed, "record length does not fit its fields");
  for (std::int64_t i = 0; i < headers && body.ok(); ++i) {
    const std::int64_t key = body.varint(5);
    if (key < 0) return fail(ErrorCode::malformed, "record header without a key");
    body.skip(static_cast<std::size_t>(key));
    skip_nullable(body);
  }
  if (!body.ok() || body.remaining() != 0) return fail(ErrorCode::malformed, "record length does not fit its fields");
  return has_key;
}

}  // namespace

Result<void> check_records(const BatchHeader& header, ByteView records, std::vector<std::int32_t>* keyless) {
  ByteReader reader(records);
  for (std::int32_t i = 0; i < header.record_count; ++i) {
    const std::int64_t length = reader.varint(5);
    if (!reader.ok() || length < 0) return fail(ErrorCode::malformed, "record length");
    ByteReader body(reader.bytes(static_cast<std::size_t>(length)));
    if (!reader.ok()) return fail(ErrorCode::malformed, "record reaches past its batch");
    MR_TRY_ASSIGN(const bool has_key, check_record(body, i));
    if (!has_key && keyless != nullptr) keyless->push_back(i);
  }
  if (reader.remaining() != 0) return fail(ErrorCode::malformed, "bytes behind the last record of a batch");
  if (keyless != nullptr && !keyless->empty()) {
    return fail(ErrorCode::invalid_argument, "Compacted topic cannot accept message without key");
  }
  return {};
}

}  // namespace millrace
