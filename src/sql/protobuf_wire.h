// ProtobufWire: the fields of one encoded Protobuf message, one after the other. Thread: one owner.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace millrace::sql {

class ProtobufWire {
 public:
  enum class Type : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  struct Field {
    std::uint32_t number = 0;
    Type type = Type::varint;
    std::uint64_t value = 0;  // varint, fixed
    std::string_view bytes;
  };

  explicit ProtobufWire(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  /// nullopt: the bytes end too early, or are no field. Groups are passed over; number 0: they were the last. Requires
  /// !done().
  std::optional<Field> next() {
    Field field;
    do {
      std::uint32_t kind = 0;
      if (!tag(field.number, kind)) return std::nullopt;
      if (kind != kStartGroup) return value(kind, field) ? std::optional(field) : std::nullopt;
      if (!skip_group(field.number)) return std::nullopt;
    } while (!done());
    return Field{};
  }
  std::optional<std::uint64_t> varint() {
    std::uint64_t out = 0;
    for (std::uint32_t shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return std::nullopt;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return out;
    }
    return std::nullopt;
  }
  std::optional<std::uint64_t> fixed(std::size_t size) {
    if (rest_.size() < size) return std::nullopt;
    std::uint64_t out = 0;
    std::memcpy(&out, rest_.data(), size);  // little-endian, as this machine
    rest_.remove_prefix(size);
    return out;
  }

 private:
  static constexpr std::uint32_t kStartGroup = 3;
  static constexpr std::uint32_t kEndGroup = 4;
  static constexpr std::size_t kMaxGroups = 64;

  bool tag(std::uint32_t& number, std::uint32_t& kind) {
    const auto read = varint();
    if (!read || *read >> 32U != 0 || *read >> 3U == 0) return false;
    number = static_cast<std::uint32_t>(*read >> 3U);
    kind = static_cast<std::uint32_t>(*read & 7U);
    return true;
  }

  /// Up to the end of group `number`, whose begin was read. Each ends with its own number.
  bool skip_group(std::uint32_t number) {
    std::array<std::uint32_t, kMaxGroups> open{number};
    for (std::size_t depth = 1; depth > 0;) {
      Field field;
      std::uint32_t kind = 0;
      if (!tag(field.number, kind)) return false;
      if (kind == kStartGroup) {
        if (depth == kMaxGroups) return false;
        open[depth++] = field.number;
      } else if (kind == kEndGroup) {
        if (open[--depth] != field.number) return false;
      } else if (!value(kind, field)) {
        return false;
      }
    }
    return true;
  }

  bool value(std::uint32_t kind, Field& field) {
    field.type = static_cast<Type>(kind);
    std::optional<std::uint64_t> read;
    switch (field.type) {
      case Type::varint:
        read = varint();
        break;
      case Type::fixed64:
        read = fixed(sizeof(std::uint64_t));
        break;
      case Type::fixed32:
        read = fixed(sizeof(std::uint32_t));
        break;
      case Type::bytes:
        read = varint();
        if (!read || *read > rest_.size()) return false;
        field.bytes = rest_.substr(0, *read);
        rest_.remove_prefix(*read);
        return true;
      default:
        return false;
    }
    if (read) field.value = *read;
    return read.has_value();
  }

  std::string_view rest_;
};

}  // namespace millrace::sql
