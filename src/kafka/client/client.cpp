#include "kafka/client/client.h"

#include "base/endian.h"

namespace millrace::kafka {
namespace {

constexpr std::int32_t kMaxAnswer = 256 << 20;

}  // namespace

void Client::begin(Encoder& out, ApiKey key, std::int16_t version) {
  const ApiCodec& codec = *find_codec(static_cast<std::int16_t>(key));
  out.be(std::int32_t{0});  // the size, known at the end
  out.be(static_cast<std::int16_t>(key));
  out.be(version);
  out.be(++correlation_id_);
  out.nullable_string("millrace", false);
  if (version >= codec.first_flexible) out.uvarint(0);
}

Result<Buffer> Client::exchange(Buffer frame) {
  store_be(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
  MR_TRY(connection_.send(frame.view()));
  std::uint8_t size_field[4];
  MR_TRY(connection_.receive(size_field));
  const auto size = load_be<std::int32_t>(size_field);
  if (size < 4 || size > kMaxAnswer) return fail(ErrorCode::malformed, "the server does not speak the Kafka protocol");
  Buffer answer;
  answer.resize(static_cast<std::size_t>(size));
  MR_TRY(connection_.receive({answer.data(), answer.size()}));
  return answer;
}

Result<void> Client::skip_header(ByteReader& reader, ApiKey key, std::int16_t version) const {
  if (reader.be<std::int32_t>() != correlation_id_) {
    return fail(ErrorCode::malformed, "the server answers another question");
  }
  const ApiCodec& codec = *find_codec(static_cast<std::int16_t>(key));
  // ApiVersions always has the first form, or no client could read it before it knows the server.
  if (version < codec.first_flexible || key == ApiKey::api_versions) return {};
  const std::uint64_t tags = reader.uvarint(5);
  for (std::uint64_t i = 0; i < tags && reader.ok(); ++i) {
    reader.uvarint(5);
    reader.skip(static_cast<std::size_t>(reader.uvarint(5)));
  }
  if (!reader.ok()) return fail(ErrorCode::malformed, "the header of an answer");
  return {};
}

}  // namespace millrace::kafka
