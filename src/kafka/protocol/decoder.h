// Decoder: Kafka's primitive types taken from a frame (Kafka protocol guide, "Protocol Primitive Types"; KIP-482 for
// the compact forms and tagged fields).
//
// Invariants: nothing is allocated for a count before the count was held against the bytes that are left and against a
// budget of memory per message, so a frame of N bytes cannot make more than kMaxDecodedBytes of vectors. Errors are
// sticky, as ByteReader's. Strings and bytes are views into the frame.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"

namespace millrace::kafka {

using UuidBytes = std::array<std::uint8_t, 16>;

/// Memory for the arrays of one decoded message, all levels together. The largest legitimate message is a produce or
/// fetch request over all partitions of a node: 100,000 partitions x 72 bytes, doubled.
inline constexpr std::size_t kMaxDecodedBytes = 16_MiB;

class Decoder {
 public:
  explicit Decoder(ByteReader& reader) : reader_(reader) {}

  [[nodiscard]] bool ok() const { return reader_.ok(); }
  void fail() { reader_.fail(); }

  template <std::integral T>
  T be() {
    return reader_.be<T>();
  }
  bool boolean() { return reader_.u8() != 0; }
  double float64() { return std::bit_cast<double>(be<std::uint64_t>()); }
  UuidBytes uuid();

  std::string_view string(bool flexible);
  std::optional<std::string_view> nullable_string(bool flexible);
  ByteView bytes(bool flexible);
  std::optional<ByteView> nullable_bytes(bool flexible);

  /// The count of an array whose items take at least `min_wire` bytes here and `item_size` in memory; nullopt is a null
  /// array.
  std::optional<std::size_t> count(bool flexible, std::size_t min_wire, std::size_t item_size);

  /// Reads the tagged fields at the end of a flexible structure: `field(tag, decoder)` returns false for a tag it does
  /// not know.
  template <class Field>
  void tagged(Field&& field) {
    const std::uint64_t fields = reader_.uvarint(5);
    for (std::uint64_t i = 0; i < fields && ok(); ++i) {
      const auto tag = static_cast<std::uint32_t>(reader_.uvarint(5));
      const std::uint64_t size = reader_.uvarint(5);
      ByteReader part(reader_.bytes(size));
      if (!ok()) return;
      Decoder inner(part, budget_);
      if (field(tag, inner) && (!part.ok() || part.remaining() != 0)) fail();
      budget_ = inner.budget_;
    }
  }
  void skip_tagged() {
    tagged([](std::uint32_t, Decoder&) { return false; });
  }

 private:
  Decoder(ByteReader& reader, std::size_t budget) : reader_(reader), budget_(budget) {}
  // -1 is null, anything below fails.
  std::int64_t compact_length();
  std::optional<ByteView> take(std::int64_t length);

  ByteReader& reader_;
  std::size_t budget_ = kMaxDecodedBytes;
};

}  // namespace millrace::kafka
