// Value: what an expression of the rule language yields. 16 bytes, copied freely; text, numbers and members live in the
// payload, the statement or the message's Arena.
//
// Undefined (no such member, wrong types) and Null are different values. Numbers and strings that come from a JSON
// document stay source text until an operator needs them, so what a rule does not touch leaves digit for digit as it
// came.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sql/arena.h"
#include "sql/decimal.h"
#include "sql/json_document.h"
#include "sql/text_writer.h"

namespace millrace::sql {

struct Member;

class Value {
 public:
  enum class Type : std::uint8_t { undefined, null, boolean, number, string, array, object };
  enum class Form : std::uint8_t {
    plain,    // boolean; string: its characters
    integer,  // number: int64
    decimal,  // number: Decimal in the arena
    source,   // number: JSON text; string: JSON text between the quotes, holding escapes
    node,     // array, object: index into a JsonDocument
    built,    // array: Values; object: Members
  };

  constexpr Value() = default;
  static Value null() { return {Type::null, Form::plain, 0}; }
  static Value boolean(bool value) { return {Type::boolean, Form::plain, value ? 1U : 0U}; }
  static Value integer(std::int64_t value);
  static Value string(std::string_view characters);
  static Value decimal(Arena& arena, const Decimal& value);
  static Value number_source(std::string_view text);
  static Value string_source(std::string_view raw);
  static Value of(const JsonDocument& document, std::uint32_t index);
  static Value array(const Value* items, std::size_t count);
  static Value object(const Member* members, std::size_t count);

  [[nodiscard]] Type type() const { return type_; }
  [[nodiscard]] Form form() const { return form_; }
  [[nodiscard]] bool is_undefined() const { return type_ == Type::undefined; }
  [[nodiscard]] bool is_null() const { return type_ == Type::null; }
  [[nodiscard]] bool is_string() const { return type_ == Type::string; }
  [[nodiscard]] bool is_number() const { return type_ == Type::number; }
  [[nodiscard]] bool is_true() const { return type_ == Type::boolean && size_ != 0; }

  [[nodiscard]] bool as_boolean() const { return size_ != 0; }
  [[nodiscard]] std::int64_t as_integer() const { return integer_; }         // Form::integer
  [[nodiscard]] const Decimal& as_decimal() const { return *decimal_; }      // Form::decimal
  [[nodiscard]] std::string_view source() const { return {text_, size_}; }   // plain strings and Form::source
  [[nodiscard]] const JsonDocument& document() const { return *document_; }  // Form::node
  [[nodiscard]] std::uint32_t node() const { return size_; }                 // Form::node
  [[nodiscard]] std::size_t count() const { return size_; }                  // Form::built
  [[nodiscard]] const Value* items() const { return items_; }                // built array
  [[nodiscard]] const Member* members() const { return members_; }           // built object

  /// Bytes of text that looking at all of it takes, about. Of what is built it counts everything inside, however often
  /// that is the same value under several names.
  [[nodiscard]] std::size_t weight() const;
  /// Members that looking for one of them may pass, about.
  [[nodiscard]] std::size_t members_to_search() const {
    if (type_ != Type::object) return 0;
    return form_ == Form::node ? document_->node(size_).end - size_ : size_;
  }

  /// The characters of a string; decoded into the arena when it holds escapes. Requires is_string().
  [[nodiscard]] std::string_view characters(Arena& arena) const;
  /// Member of an object by its decoded name; Undefined for anything else.
  [[nodiscard]] Value member(std::string_view name) const;
  /// Element of an array, from 0; Undefined outside.
  [[nodiscard]] Value element(std::int64_t index) const;

 private:
  constexpr Value(Type type, Form form, std::uint32_t size) : type_(type), form_(form), size_(size) {}
  static constexpr std::size_t kHeft = 256;
  static constexpr std::uint16_t kImmense = 0xFFFF;
  static std::uint16_t heft_of(std::size_t bytes);

  Type type_ = Type::undefined;
  Form form_ = Form::plain;
  std::uint16_t heft_ = 0;  // built: what its items weigh themselves, in units of kHeft bytes; kImmense: more
  std::uint32_t size_ = 0;
  union {
    std::int64_t integer_ = 0;
    const char* text_;
    const Decimal* decimal_;
    const JsonDocument* document_;
    const Value* items_;
    const Member* members_;
  };
};
static_assert(sizeof(Value) == 16);

struct Member {
  std::string_view name;  // characters, not escaped
  Value value;
};

/// Walks the elements of an array of either form.
class ArrayItems {
 public:
  explicit ArrayItems(const Value& array)
      : array_(array), at_(array.form() == Value::Form::node ? array.node() + 1 : 0) {}
  /// The next element, or nullopt behind the last.
  [[nodiscard]] std::optional<Value> next() {
    if (array_.form() == Value::Form::built) {
      return at_ < array_.count() ? std::optional(array_.items()[at_++]) : std::nullopt;
    }
    const JsonDocument& document = array_.document();
    if (at_ >= document.node(array_.node()).end) return std::nullopt;
    const std::uint32_t index = at_;
    at_ = document.node(index).end;
    return Value::of(document, index);
  }

 private:
  Value array_;
  std::uint32_t at_;
};

/// Appends `value` as JSON; Undefined members and elements are left out. A top-level Undefined writes nothing. A value
/// that nests deeper than kMaxOutputDepth, or is longer than the writer's limit, makes the writer overflow.
inline constexpr int kMaxOutputDepth = 256;
void write_json(TextWriter& out, Arena& arena, const Value& value);
/// Appends `characters` in quotes, escaped; invalid UTF-8 becomes U+FFFD.
void write_json_string(TextWriter& out, std::string_view characters);

/// The text an operator or template sees: characters of strings, digits of numbers, true/false, JSON of arrays and
/// objects. nullopt for Null, Undefined and what is longer than kMaxResult.
[[nodiscard]] std::optional<std::string_view> to_text(Arena& arena, const Value& value);

}  // namespace millrace::sql
