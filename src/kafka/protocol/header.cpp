#include "kafka/protocol/header.h"

#include "kafka/protocol/decoder.h"

namespace millrace::kafka {

const ApiCodec* find_codec(std::int16_t api_key) {
  for (const ApiCodec& codec : kApiCodecs) {
    if (static_cast<std::int16_t>(codec.key) == api_key) return &codec;
  }
  return nullptr;
}

Result<RequestHeader> read_request_header(ByteReader& reader) {
  RequestHeader header;
  header.api_key = reader.be<std::int16_t>();
  header.api_version = reader.be<std::int16_t>();
  header.correlation_id = reader.be<std::int32_t>();
  const ApiCodec* codec = find_codec(header.api_key);
  if (codec != nullptr && header.api_version >= codec->first && header.api_version <= codec->last) {
    Decoder in(reader);
    header.client_id = in.nullable_string(false).value_or(std::string_view{});
    if (header.api_version >= codec->first_flexible) in.skip_tagged();
  }
  if (!reader.ok()) return fail(ErrorCode::malformed, "request header is cut off");
  return header;
}

void write_response_header(Encoder& out, const ApiCodec& codec, std::int16_t version, std::int32_t correlation_id) {
  out.be(correlation_id);
  if (version >= codec.first_flexible && codec.key != ApiKey::api_versions) out.uvarint(0);
}

}  // namespace millrace::kafka
