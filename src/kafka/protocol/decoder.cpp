#include "kafka/protocol/decoder.h"

#include <cstring>

namespace millrace::kafka {
namespace {

// Of every string on the wire, in the compact form too, as Apache Kafka has it: what came in can always be sent and
// stored with 16 bits of length.
constexpr std::int64_t kMaxStringBytes = 0x7FFF;

}  // namespace

UuidBytes Decoder::uuid() {
  UuidBytes id{};
  const ByteView view = reader_.bytes(id.size());
  if (!view.empty()) std::memcpy(id.data(), view.data(), id.size());
  return id;
}

std::int64_t Decoder::compact_length() {
  return static_cast<std::int64_t>(reader_.uvarint(5)) - 1;
}

std::optional<ByteView> Decoder::take(std::int64_t length) {
  if (length == -1 && ok()) return std::nullopt;
  if (length < 0) {
    fail();
    return ByteView{};
  }
  return reader_.bytes(static_cast<std::size_t>(length));
}

std::optional<std::string_view> Decoder::nullable_string(bool flexible) {
  const std::int64_t length = flexible ? compact_length() : be<std::int16_t>();
  if (length > kMaxStringBytes) fail();
  const auto view = take(length);
  if (!view) return std::nullopt;
  return as_text(*view);
}

std::string_view Decoder::string(bool flexible) {
  const auto text = nullable_string(flexible);
  if (!text) fail();
  return text.value_or(std::string_view{});
}

std::optional<ByteView> Decoder::nullable_bytes(bool flexible) {
  return take(flexible ? compact_length() : be<std::int32_t>());
}

ByteView Decoder::bytes(bool flexible) {
  const auto view = nullable_bytes(flexible);
  if (!view) fail();
  return view.value_or(ByteView{});
}

std::optional<std::size_t> Decoder::count(bool flexible, std::size_t min_wire, std::size_t item_size) {
  const std::int64_t count = flexible ? compact_length() : be<std::int32_t>();
  if (!ok()) return 0;
  if (count == -1) return std::nullopt;
  if (count < 0 || !reader_.fits(static_cast<std::uint64_t>(count), min_wire) ||
      static_cast<std::size_t>(count) > budget_ / item_size) {
    fail();
    return 0;
  }
  budget_ -= static_cast<std::size_t>(count) * item_size;
  return static_cast<std::size_t>(count);
}

}  // namespace millrace::kafka
