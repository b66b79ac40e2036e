#include "model/record_reader.h"

namespace millrace {
namespace {

// -1 is null; anything below is malformed.
std::optional<ByteView> nullable(ByteReader& reader) {
  const std::int64_t length = reader.varint(5);
  if (length == -1) return std::nullopt;
  if (length < -1) reader.fail();
  if (!reader.ok()) return std::nullopt;
  return reader.bytes(static_cast<std::size_t>(length));
}

// Whatever a producer wrote there: a time beyond 64 bits comes round.
std::int64_t time_at(std::int64_t base, std::int64_t delta) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(delta));
}

}  // namespace

Result<ReadRecord> RecordReader::next() {
  const std::int64_t length = reader_.varint(5);
  if (!reader_.ok() || length < 0) return fail(ErrorCode::malformed, "record length");
  ByteReader body(reader_.bytes(static_cast<std::size_t>(length)));
  if (!reader_.ok()) return fail(ErrorCode::malformed, "record reaches past its batch");
  body.u8();  // attributes, unused in v2
  ReadRecord out;
  const std::int64_t timestamp_delta = body.varint(10);
  const std::int64_t offset_delta = body.varint(5);
  out.record.timestamp_ms =
      header_.log_append_time() ? header_.max_timestamp : time_at(header_.base_timestamp, timestamp_delta);
  if (offset_delta < 0 || offset_delta > header_.last_offset_delta) {
    return fail(ErrorCode::malformed, "record offset outside its batch");
  }
  out.offset = header_.base_offset + offset_delta;
  out.record.key = nullable(body);
  out.record.value = nullable(body);
  const std::int64_t headers = body.varint(5);
  if (!body.ok() || headers < 0 || !body.fits(static_cast<std::uint64_t>(headers), 2)) {
    return fail(ErrorCode::malformed, "record header count");
  }
  headers_.clear();
  headers_.reserve(static_cast<std::size_t>(headers));
  for (std::int64_t i = 0; i < headers; ++i) {
    const std::optional<ByteView> key = nullable(body);
    if (!key) return fail(ErrorCode::malformed, "record header without a key");
    const std::optional<ByteView> value = nullable(body);
    headers_.push_back({as_text(*key), value});
  }
  if (!body.ok() || body.remaining() != 0) return fail(ErrorCode::malformed, "record length does not fit its fields");
  out.record.headers = headers_;
  ++read_;
  return out;
}

Result<void> RecordReader::finish() const {
  if (!done() || reader_.remaining() != 0) return fail(ErrorCode::malformed, "bytes behind the last record of a batch");
  return {};
}

}  // namespace millrace
