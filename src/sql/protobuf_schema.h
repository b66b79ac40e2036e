// ProtobufSchema: the message types of one descriptor file (what `protoc --include_imports --descriptor_set_out=FILE`
// writes), and the way from an encoded message to JSON text. https://protobuf.dev/programming-guides/encoding
//
// Field names are those of the .proto file; 64-bit integers are numbers, bytes are base64, enums their names, maps
// objects; what is not in the message is left out, unknown fields are skipped. Of a field that comes twice the last
// counts, of messages the two are merged. Nesting is capped. Immutable; thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "sql/arena.h"
#include "sql/text_writer.h"

namespace millrace::sql {

class ProtobufSchema {
 public:
  static constexpr int kMaxDepth = 64;
  static constexpr std::size_t kMaxFields = 50'000;  // types and enum values with them

  /// Errors: malformed (no descriptor set), invalid_argument (a type that is named is not in it), too_large.
  static Result<std::shared_ptr<const ProtobufSchema>> parse(ByteView descriptor_set);

  /// "package.Message", or its last parts where no other ends so.
  [[nodiscard]] bool has(std::string_view message) const { return find(message) != nullptr; }
  /// Full names, sorted.
  [[nodiscard]] std::vector<std::string> messages() const;
  /// Appends the message as JSON. False: it is no encoding of `message`, or nested too deep; what was appended is void.
  bool write_json(std::string_view message, std::string_view bytes, Arena& arena, TextWriter& out) const;

 private:
  enum class Type : std::uint8_t {
    real64 = 1,
    real32,
    int64,
    uint64,
    int32,
    fixed64,
    fixed32,
    boolean,
    string,
    group,
    message,
    bytes,
    uint32,
    enumeration,
    sfixed32,
    sfixed64,
    sint32,
    sint64,
  };
  struct Field {
    std::uint32_t number = 0;
    Type type = Type::int32;
    bool repeated = false;
    std::string name;
    std::string type_name;      // message, enumeration: while it is read
    std::uint32_t type_at = 0;  // messages_, enums_
  };
  struct Message {
    std::string name;
    bool is_map_entry = false;
    std::vector<Field> fields;  // by number
    [[nodiscard]] const Field* field(std::uint32_t number) const;
  };
  using Enum = std::map<std::int32_t, std::string>;
  class Reader;
  class Writer;

  ProtobufSchema() = default;
  [[nodiscard]] const Message* find(std::string_view name) const;

  std::vector<Message> messages_;
  std::vector<Enum> enums_;
  std::map<std::string, std::uint32_t, std::less<>> message_names_;
  std::map<std::string, std::uint32_t, std::less<>> enum_names_;
  static constexpr std::uint32_t kAmbiguous = 0xFFFFFFFF;
  std::map<std::string, std::uint32_t, std::less<>> short_names_;  // without leading parts: "Message", "Outer.Message"
};

}  // namespace millrace::sql
