// Request and response headers (Kafka protocol guide, "Headers"). Request header v1 is key, version, correlation id and
// a client id that is never compact; v2, used by flexible versions, adds tagged fields. Response header v0 is the
// correlation id, v1 adds tagged fields; ApiVersions always answers with v0, because its client may not know yet what
// the server speaks.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/byte_reader.h"
#include "base/result.h"
#include "kafka/protocol/encoder.h"
#include "kafka/protocol/messages/api_keys.h"

namespace millrace::kafka {

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::string_view client_id;  // empty for null
};

/// The codec of a key, or null.
[[nodiscard]] const ApiCodec* find_codec(std::int16_t api_key);

/// Takes the header from the front of a frame. A key or version that has no codec gives only the first three fields
/// (the form of the rest is unknown). malformed when the bytes are not there.
Result<RequestHeader> read_request_header(ByteReader& reader);

void write_response_header(Encoder& out, const ApiCodec& codec, std::int16_t version, std::int32_t correlation_id);

}  // namespace millrace::kafka
