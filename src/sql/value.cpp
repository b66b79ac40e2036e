#include "sql/value.h"

#include <algorithm>
#include <charconv>

#include "sql/json_scan.h"

namespace millrace::sql {

Value Value::integer(std::int64_t value) {
  Value result(Type::number, Form::integer, 0);
  result.integer_ = value;
  return result;
}

Value Value::string(std::string_view characters) {
  Value result(Type::string, Form::plain, static_cast<std::uint32_t>(characters.size()));
  result.text_ = characters.data();
  return result;
}

Value Value::decimal(Arena& arena, const Decimal& value) {
  Value result(Type::number, Form::decimal, 0);
  result.decimal_ = new (arena.allocate(sizeof(Decimal), alignof(Decimal))) Decimal(value);
  return result;
}

Value Value::number_source(std::string_view text) {
  Value result(Type::number, Form::source, static_cast<std::uint32_t>(text.size()));
  result.text_ = text.data();
  return result;
}

Value Value::string_source(std::string_view raw) {
  Value result(Type::string, Form::source, static_cast<std::uint32_t>(raw.size()));
  result.text_ = raw.data();
  return result;
}

Value Value::of(const JsonDocument& document, std::uint32_t index) {
  const JsonNode& node = document.node(index);
  switch (node.type) {
    case JsonType::null:
      return null();
    case JsonType::boolean:
      return boolean(node.flag);
    case JsonType::number:
      return number_source(document.span_of(node));
    case JsonType::string:
      return node.escaped ? string_source(document.span_of(node)) : string(document.span_of(node));
    case JsonType::array:
    case JsonType::object:
      break;
  }
  Value result(node.type == JsonType::array ? Type::array : Type::object, Form::node, index);
  result.document_ = &document;
  return result;
}

Value Value::array(const Value* items, std::size_t count) {
  Value result(Type::array, Form::built, static_cast<std::uint32_t>(count));
  result.items_ = items;
  std::size_t inside = 0;
  for (std::size_t i = 0; i < count; ++i) inside += items[i].weight();
  result.heft_ = heft_of(inside);
  return result;
}

Value Value::object(const Member* members, std::size_t count) {
  Value result(Type::object, Form::built, static_cast<std::uint32_t>(count));
  result.members_ = members;
  std::size_t inside = 0;
  for (std::size_t i = 0; i < count; ++i) inside += members[i].value.weight() + members[i].name.size();
  result.heft_ = heft_of(inside);
  return result;
}

/// Rounded to the nearest, so that what is doubled weighs twice as much from the smallest on.
std::uint16_t Value::heft_of(std::size_t bytes) {
  return static_cast<std::uint16_t>(std::min<std::size_t>((bytes + kHeft / 2) / kHeft, kImmense));
}

std::size_t Value::weight() const {
  switch (form_) {
    case Form::node:
      return document_->node(size_).size;
    case Form::built: {
      constexpr std::size_t kItem = 32;
      constexpr std::size_t kFarTooMuch = std::size_t{1} << 30U;
      return heft_ == kImmense ? kFarTooMuch : size_ * kItem + heft_ * kHeft;
    }
    case Form::source:
      return size_;
    case Form::plain:
      return type_ == Type::string ? size_ : 0;
    default:
      return 0;
  }
}

std::string_view Value::characters(Arena& arena) const {
  if (form_ == Form::plain) return source();
  char* to = arena.text(size_);
  const std::size_t count = decode_json_string(source(), to);
  arena.give_back(to + count, to + size_);
  return {to, count};
}

Value Value::member(std::string_view name) const {
  if (type_ != Type::object) return {};
  if (form_ == Form::node) {
    const std::uint32_t index = document_->find(size_, name);
    return index == JsonDocument::kAbsent ? Value() : of(*document_, index);
  }
  for (std::size_t i = size_; i-- > 0;) {
    if (members_[i].name == name) return members_[i].value;
  }
  return {};
}

Value Value::element(std::int64_t index) const {
  if (type_ != Type::array || index < 0) return {};
  if (form_ == Form::built) return index < std::int64_t{size_} ? items_[index] : Value();
  const JsonNode& parent = document_->node(size_);
  std::uint32_t at = size_ + 1;
  for (; at < parent.end && index > 0; --index) at = document_->node(at).end;
  return at < parent.end ? of(*document_, at) : Value();
}

void write_json_string(TextWriter& out, std::string_view characters) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push('"');
  const char* at = characters.data();
  const char* const end = at + characters.size();
  const char* plain = at;
  const auto flush = [&](const char* until) { out.append({plain, static_cast<std::size_t>(until - plain)}); };
  while (at != end) {
    const auto c = static_cast<unsigned char>(*at);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++at;
      continue;
    }
    if (c >= 0x80) {
      // utf8_sequence stops at the first wrong byte; a short tail is copied so that it cannot look behind the end.
      char tail[4] = {};
      const auto left = std::min<std::size_t>(4, static_cast<std::size_t>(end - at));
      std::copy_n(at, left, tail);
      const std::size_t length = utf8_sequence(tail);
      if (length != 0) {
        at += length;
        continue;
      }
      flush(at);
      out.append("\xEF\xBF\xBD");
      plain = ++at;
      continue;
    }
    flush(at);
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default: {
        const char escape[] = {'\\', 'u', '0', '0', kHex[c >> 4U], kHex[c & 15U]};
        out.append({escape, sizeof escape});
      }
    }
    plain = ++at;
  }
  flush(end);
  out.push('"');
}

namespace {

void write_value(TextWriter& out, Arena& arena, const Value& value, int depth) {
  switch (value.type()) {
    case Value::Type::undefined:
      return;
    case Value::Type::null:
      out.append("null");
      return;
    case Value::Type::boolean:
      out.append(value.as_boolean() ? "true" : "false");
      return;
    case Value::Type::number:
      out.append(*to_text(arena, value));
      return;
    case Value::Type::string:
      if (value.form() == Value::Form::source) {
        out.push('"');
        out.append(value.source());
        out.push('"');
      } else {
        write_json_string(out, value.source());
      }
      return;
    case Value::Type::array:
    case Value::Type::object:
      break;
  }
  if (value.form() == Value::Form::node) {
    out.append(value.document().span_of(value.document().node(value.node())));
    return;
  }
  // Variables that name one another can make a value that is wide and deep beyond what the statement shows.
  if (depth == kMaxOutputDepth) out.overflow();
  const bool array = value.type() == Value::Type::array;
  out.push(array ? '[' : '{');
  bool first = true;
  for (std::size_t i = 0; i < value.count() && !out.overflowed(); ++i) {
    const Value& item = array ? value.items()[i] : value.members()[i].value;
    if (item.is_undefined()) continue;
    if (!first) out.push(',');
    first = false;
    if (!array) {
      write_json_string(out, value.members()[i].name);
      out.push(':');
    }
    write_value(out, arena, item, depth + 1);
  }
  out.push(array ? ']' : '}');
}

}  // namespace

void write_json(TextWriter& out, Arena& arena, const Value& value) {
  write_value(out, arena, value, 0);
}

std::optional<std::string_view> to_text(Arena& arena, const Value& value) {
  switch (value.type()) {
    case Value::Type::undefined:
    case Value::Type::null:
      return std::nullopt;
    case Value::Type::boolean:
      return value.as_boolean() ? "true" : "false";
    case Value::Type::string:
      return value.characters(arena);
    case Value::Type::number: {
      if (value.form() == Value::Form::source) return value.source();
      char* to = arena.text(Decimal::kMaxText);
      const std::size_t size =
          value.form() == Value::Form::integer
              ? static_cast<std::size_t>(std::to_chars(to, to + Decimal::kMaxText, value.as_integer()).ptr - to)
              : value.as_decimal().to_text(to);
      arena.give_back(to + size, to + Decimal::kMaxText);
      return std::string_view(to, size);
    }
    case Value::Type::array:
    case Value::Type::object:
      break;
  }
  TextWriter out(arena, 256);
  write_json(out, arena, value);
  if (out.overflowed()) return std::nullopt;
  return out.finish();
}

}  // namespace millrace::sql
