#include "sql/protobuf_schema.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "codec/base64.h"
#include "sql/protobuf_wire.h"
#include "sql/value.h"

namespace millrace::sql {

namespace {

using Wire = ProtobufWire;

/// Of a type, with its package and the messages it is in.
constexpr std::size_t kMaxName = 512;
/// Last parts of a full name that it can be called by.
constexpr int kShortParts = 4;

std::unexpected<Error> malformed() {
  return fail(ErrorCode::malformed, "Protobuf descriptor",
              "this is no descriptor set; protoc --include_imports --descriptor_set_out=FILE writes one");
}

}  // namespace

/// Reads descriptor.proto's messages, as far as they matter here. Numbers are its field numbers.
class ProtobufSchema::Reader {
 public:
  explicit Reader(ProtobufSchema& schema) : schema_(schema) {}

  bool read_set(std::string_view bytes) {
    return each(bytes, [&](const Wire::Field& field) { return field.number != 1 || read_file(field.bytes); });
  }
  /// Names of types become places. Error: invalid_argument.
  Result<void> connect() {
    for (Message& message : schema_.messages_) {
      for (Field& field : message.fields) {
        if (field.type != Type::message && field.type != Type::enumeration) continue;
        const auto& names = field.type == Type::message ? schema_.message_names_ : schema_.enum_names_;
        const auto found = names.find(field.type_name);
        if (found == names.end()) {
          return fail(ErrorCode::invalid_argument, "Protobuf descriptor",
                      message.name + "." + field.name + " is a " + field.type_name +
                          ", which is not in this set; protoc --include_imports puts it in");
        }
        field.type_at = found->second;
        field.type_name = {};
      }
      std::ranges::sort(message.fields, {}, &Field::number);
    }
    return {};
  }
  [[nodiscard]] bool too_large() const { return fields_ > kMaxFields; }

 private:
  template <class Visit>
  bool each(std::string_view bytes, Visit visit) {
    Wire wire(bytes);
    while (!wire.done()) {
      const auto field = wire.next();
      if (!field || !visit(*field)) return false;
    }
    return true;
  }
  static std::string text(const Wire::Field& field) { return std::string(field.bytes); }

  bool read_file(std::string_view bytes) {
    constexpr std::uint32_t kPackage = 2;
    constexpr std::uint32_t kMessage = 4;
    constexpr std::uint32_t kEnum = 5;
    std::string scope;
    const bool named = each(bytes, [&](const Wire::Field& field) {
      if (field.number == kPackage) scope = text(field) + ".";
      return true;
    });
    return named && each(bytes, [&](const Wire::Field& field) {
             if (field.number == kMessage) return read_message(field.bytes, scope, 0);
             return field.number != kEnum || read_enum(field.bytes, scope);
           });
  }

  bool read_message(std::string_view bytes, const std::string& scope, int depth) {
    constexpr std::uint32_t kName = 1;
    constexpr std::uint32_t kField = 2;
    constexpr std::uint32_t kNested = 3;
    constexpr std::uint32_t kEnum = 4;
    constexpr std::uint32_t kOptions = 7;
    constexpr std::uint32_t kMapEntry = 7;
    if (depth > kMaxDepth) return false;
    Message message;
    const bool fine = each(bytes, [&](const Wire::Field& field) {
      if (field.number == kName) message.name = scope + text(field);
      if (field.number == kField) return read_field(field.bytes, message.fields.emplace_back());
      if (field.number == kOptions) {
        return each(field.bytes, [&](const Wire::Field& option) {
          message.is_map_entry = message.is_map_entry || (option.number == kMapEntry && option.value != 0);
          return true;
        });
      }
      return true;
    });
    ++fields_;
    if (!fine || message.name.size() <= scope.size() || message.name.size() > kMaxName || too_large()) return false;
    const std::string inner = message.name + ".";
    schema_.message_names_[message.name] = static_cast<std::uint32_t>(schema_.messages_.size());
    schema_.messages_.push_back(std::move(message));
    return each(bytes, [&](const Wire::Field& field) {
      if (field.number == kNested) return read_message(field.bytes, inner, depth + 1);
      return field.number != kEnum || read_enum(field.bytes, inner);
    });
  }

  bool read_field(std::string_view bytes, Field& out) {
    constexpr std::uint32_t kName = 1;
    constexpr std::uint32_t kNumber = 3;
    constexpr std::uint32_t kLabel = 4;
    constexpr std::uint32_t kType = 5;
    constexpr std::uint32_t kTypeName = 6;
    constexpr std::uint64_t kRepeated = 3;
    ++fields_;
    std::uint64_t type = 0;
    const bool fine = each(bytes, [&](const Wire::Field& field) {
      if (field.number == kName) out.name = text(field);
      if (field.number == kNumber) out.number = static_cast<std::uint32_t>(field.value);
      if (field.number == kLabel) out.repeated = field.value == kRepeated;
      if (field.number == kType) type = field.value;
      if (field.number == kTypeName) out.type_name = text(field);
      return true;
    });
    if (out.type_name.starts_with('.')) out.type_name.erase(0, 1);
    if (!fine || out.name.empty() || out.number == 0 || type == 0 || type > static_cast<std::uint64_t>(Type::sint64)) {
      return false;
    }
    out.type = static_cast<Type>(type);
    return true;
  }

  bool read_enum(std::string_view bytes, const std::string& scope) {
    constexpr std::uint32_t kName = 1;
    constexpr std::uint32_t kValue = 2;
    std::string name;
    Enum values;
    const bool fine = each(bytes, [&](const Wire::Field& field) {
      if (field.number == kName) name = scope + text(field);
      if (field.number != kValue) return true;
      std::string label;
      std::int32_t number = 0;
      ++fields_;
      const bool read = each(field.bytes, [&](const Wire::Field& part) {
        if (part.number == 1) label = text(part);
        if (part.number == 2) number = static_cast<std::int32_t>(part.value);
        return true;
      });
      values.emplace(number, std::move(label));  // of aliases the first
      return read && !too_large();
    });
    ++fields_;
    if (!fine || name.size() <= scope.size() || name.size() > kMaxName || too_large()) return false;
    schema_.enum_names_[name] = static_cast<std::uint32_t>(schema_.enums_.size());
    schema_.enums_.push_back(std::move(values));
    return true;
  }

  ProtobufSchema& schema_;
  std::size_t fields_ = 0;
};

/// One encoded message on its way to JSON.
class ProtobufSchema::Writer {
 public:
  Writer(const ProtobufSchema& schema, Arena& arena, TextWriter& out) : schema_(schema), arena_(arena), out_(out) {}

  bool message(const Message& message, std::string_view bytes, int depth) {
    if (depth > kMaxDepth) return false;
    std::size_t count = 0;
    const Entry* const entries = gather(message, bytes, count);
    if (entries == nullptr) return false;
    out_.push('{');
    bool first = true;
    for (std::size_t from = 0; from < count;) {
      std::size_t to = from + 1;
      while (to < count && entries[to].field == entries[from].field) ++to;
      const Field& field = *entries[from].field;
      if (!std::exchange(first, false)) out_.push(',');
      write_json_string(out_, field.name);
      out_.push(':');
      if (out_.overflowed() || !values(field, {entries + from, to - from}, depth)) return false;
      from = to;
    }
    out_.push('}');
    return true;
  }

 private:
  struct Entry {
    const Field* field = nullptr;
    Wire::Field wire;
    std::size_t order = 0;
  };
  using Entries = std::span<const Entry>;

  static Wire::Type wire_of(Type type) {
    switch (type) {
      case Type::real64:
      case Type::fixed64:
      case Type::sfixed64:
        return Wire::Type::fixed64;
      case Type::real32:
      case Type::fixed32:
      case Type::sfixed32:
        return Wire::Type::fixed32;
      case Type::string:
      case Type::bytes:
      case Type::message:
      case Type::group:
        return Wire::Type::bytes;
      default:
        return Wire::Type::varint;
    }
  }
  static bool is_number(Type type) { return wire_of(type) != Wire::Type::bytes; }

  /// The known fields, those of one field together, in the order they came. nullptr: the bytes are no message.
  const Entry* gather(const Message& message, std::string_view bytes, std::size_t& count) {
    std::size_t most = 0;
    for (Wire wire(bytes); !wire.done(); ++most) {
      if (!wire.next()) return nullptr;
    }
    Entry* const entries = arena_.array<Entry>(most + 1);
    for (Wire wire(bytes); !wire.done();) {
      const auto read = wire.next();
      const Field* const field = message.field(read->number);
      if (field == nullptr || field->type == Type::group) continue;
      const bool packed = field->repeated && is_number(field->type) && read->type == Wire::Type::bytes;
      if (!packed && read->type != wire_of(field->type)) continue;
      new (entries + count) Entry{field, *read, count};
      ++count;
    }
    std::sort(entries, entries + count, [](const Entry& a, const Entry& b) {
      return a.field != b.field ? a.field->number < b.field->number : a.order < b.order;
    });
    return entries;
  }

  bool values(const Field& field, Entries entries, int depth) {
    if (field.type == Type::message && schema_.messages_[field.type_at].is_map_entry && field.repeated) {
      return map(schema_.messages_[field.type_at], entries, depth);
    }
    if (!field.repeated) {
      if (field.type != Type::message || entries.size() == 1) return one(field, entries.back().wire, depth);
      // Two encodings one behind the other are the encoding of the merged message.
      TextWriter joined(arena_, 256);
      for (const Entry& entry : entries) joined.append(entry.wire.bytes);
      Wire::Field whole = entries.back().wire;
      whole.bytes = joined.finish();
      return !joined.overflowed() && one(field, whole, depth);
    }
    out_.push('[');
    bool first = true;
    for (const Entry& entry : entries) {
      if (entry.wire.type != Wire::Type::bytes || !is_number(field.type)) {
        if (!std::exchange(first, false)) out_.push(',');
        if (!one(field, entry.wire, depth)) return false;
        continue;
      }
      for (Wire packed(entry.wire.bytes); !packed.done();) {
        Wire::Field number;
        const Wire::Type type = wire_of(field.type);
        const auto value = type == Wire::Type::varint
                               ? packed.varint()
                               : packed.fixed(type == Wire::Type::fixed64 ? sizeof(std::uint64_t) : sizeof(float));
        if (!value) return false;
        number.value = *value;
        if (!std::exchange(first, false)) out_.push(',');
        if (!one(field, number, depth)) return false;
      }
    }
    out_.push(']');
    return !out_.overflowed();
  }

  bool map(const Message& pair, Entries entries, int depth) {
    const Field* const key = pair.field(1);
    const Field* const value = pair.field(2);
    // What the language allows as keys: whatever else a descriptor says would be no JSON.
    if (key == nullptr || value == nullptr) return false;
    const bool is_word = key->type == Type::string || (is_number(key->type) && key->type != Type::enumeration &&
                                                       key->type != Type::real32 && key->type != Type::real64);
    if (!is_word) return false;
    out_.push('{');
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Wire::Field key_wire;
      Wire::Field value_wire;
      for (Wire wire(entries[i].wire.bytes); !wire.done();) {
        const auto read = wire.next();
        if (!read) return false;
        if (read->number == 1 && read->type == wire_of(key->type)) key_wire = *read;
        if (read->number == 2 && read->type == wire_of(value->type)) value_wire = *read;
      }
      if (i != 0) out_.push(',');
      const bool quoted = is_number(key->type);
      if (quoted) out_.push('"');
      if (!one(*key, key_wire, depth)) return false;
      if (quoted) out_.push('"');
      out_.push(':');
      if (!one(*value, value_wire, depth)) return false;
    }
    out_.push('}');
    return true;
  }

  bool one(const Field& field, const Wire::Field& wire, int depth) {
    const std::uint64_t bits = wire.value;
    switch (field.type) {
      case Type::real64:
        real(std::bit_cast<double>(bits));
        break;
      case Type::real32:
        real(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
        break;
      case Type::int64:
      case Type::sfixed64:
        integer(static_cast<std::int64_t>(bits));
        break;
      case Type::uint64:
      case Type::fixed64:
        integer(bits);
        break;
      case Type::int32:
      case Type::sfixed32:
        integer(static_cast<std::int32_t>(bits));
        break;
      case Type::uint32:
      case Type::fixed32:
        integer(static_cast<std::uint32_t>(bits));
        break;
      case Type::sint32:
        zigzag(static_cast<std::uint32_t>(bits));
        break;
      case Type::sint64:
        zigzag(bits);
        break;
      case Type::boolean:
        out_.append(bits != 0 ? "true" : "false");
        break;
      case Type::string:
        write_json_string(out_, wire.bytes);
        break;
      case Type::bytes: {
        const std::size_t size = base64_size(wire.bytes.size());
        char* const text = arena_.text(size);
        encode_base64(as_bytes(wire.bytes), text);
        out_.push('"');
        out_.append({text, size});
        out_.push('"');
        break;
      }
      case Type::enumeration: {
        const Enum& names = schema_.enums_[field.type_at];
        const auto found = names.find(static_cast<std::int32_t>(bits));
        if (found == names.end()) {
          integer(static_cast<std::int32_t>(bits));
        } else {
          write_json_string(out_, found->second);
        }
        break;
      }
      case Type::message:
        return message(schema_.messages_[field.type_at], wire.bytes, depth + 1);
      case Type::group:
        return false;
    }
    return !out_.overflowed();
  }

  template <class T>
  void integer(T value) {
    std::array<char, 24> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    out_.append({text.data(), static_cast<std::size_t>(end - text.data())});
  }
  void zigzag(std::uint64_t bits) { integer(static_cast<std::int64_t>((bits >> 1U) ^ (~(bits & 1U) + 1))); }
  template <class T>
  void real(T value) {
    if (std::isnan(value)) return out_.append("\"NaN\"");
    if (std::isinf(value)) return out_.append(value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    integer(value);  // the shortest digits that read back as this number; JSON takes their form
  }

  const ProtobufSchema& schema_;
  Arena& arena_;
  TextWriter& out_;
};

const ProtobufSchema::Field* ProtobufSchema::Message::field(std::uint32_t number) const {
  const auto found = std::ranges::lower_bound(fields, number, {}, &Field::number);
  return found != fields.end() && found->number == number ? &*found : nullptr;
}

Result<std::shared_ptr<const ProtobufSchema>> ProtobufSchema::parse(ByteView descriptor_set) {
  std::shared_ptr<ProtobufSchema> schema(new ProtobufSchema());
  Reader reader(*schema);
  const bool fine = reader.read_set(as_text(descriptor_set));
  if (reader.too_large()) {
    return fail(ErrorCode::too_large, "Protobuf descriptor", "it has more than 50,000 fields, types and enum values");
  }
  if (!fine || schema->messages_.empty()) return malformed();
  MR_TRY(reader.connect());
  for (const auto& [name, at] : schema->message_names_) {
    std::size_t dot = name.size();
    for (int parts = 0; parts < kShortParts && dot != 0; ++parts) {
      dot = name.rfind('.', dot - 1);
      if (dot == std::string::npos) break;
      const auto [known, added] = schema->short_names_.emplace(name.substr(dot + 1), at);
      if (!added) known->second = kAmbiguous;
    }
  }
  return std::shared_ptr<const ProtobufSchema>(std::move(schema));
}

std::vector<std::string> ProtobufSchema::messages() const {
  std::vector<std::string> out;
  for (const auto& [name, at] : message_names_) {
    if (!messages_[at].is_map_entry) out.push_back(name);
  }
  return out;
}

const ProtobufSchema::Message* ProtobufSchema::find(std::string_view name) const {
  if (const auto found = message_names_.find(name); found != message_names_.end()) return &messages_[found->second];
  const auto found = short_names_.find(name);
  return found == short_names_.end() || found->second == kAmbiguous ? nullptr : &messages_[found->second];
}

bool ProtobufSchema::write_json(std::string_view message, std::string_view bytes, Arena& arena, TextWriter& out) const {
  const Message* const type = find(message);
  return type != nullptr && Writer(*this, arena, out).message(*type, bytes, 0) && !out.overflowed();
}

}  // namespace millrace::sql
