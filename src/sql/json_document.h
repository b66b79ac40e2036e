// JsonDocument: one JSON text, validated in a single pass (RFC 8259) and indexed: every value and member with its span
// in the source, in document order. Nothing is converted: numbers keep their digits, strings their escapes, until
// someone asks.
//
// Invariants: a document that parsed is valid to its last byte (UTF-8 included). Depth is capped. Memory is reused. Of
// members with the same name the last one counts, as in JavaScript and in Java's and Python's parsers; the source text
// keeps them all. Thread: one owner. Views into the text given to parse(), which must outlive them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace::sql {

enum class JsonType : std::uint8_t { null, boolean, number, string, array, object };

struct JsonNode {
  std::uint32_t at = 0;      // first byte of the value; of strings the first byte behind the quote
  std::uint32_t size = 0;    // bytes of the value; of strings without the quotes
  std::uint32_t key_at = 0;  // members: first byte of the name behind the quote
  std::uint32_t key_size = 0;
  std::uint32_t end = 0;  // index behind this value's last descendant; children start at own index + 1
  JsonType type = JsonType::null;
  bool escaped = false;  // string: holds a backslash
  bool key_escaped = false;
  bool flag = false;  // boolean: its value; number: written without fraction and exponent
};

enum class JsonFault : std::uint8_t {
  none,
  empty,
  unexpected_character,
  unterminated,
  bad_escape,
  control_character,
  bad_utf8,
  bad_number,
  too_deep,
  trailing_characters,
  too_large,
};
std::string_view to_string(JsonFault fault);

class JsonDocument {
 public:
  static constexpr std::uint32_t kDefaultDepth = 64;
  static constexpr std::uint32_t kMaxDepth = 1024;
  static constexpr std::uint32_t kRoot = 0;

  /// Containers nested deeper than this are refused (1 to kMaxDepth).
  void set_max_depth(std::uint32_t depth) { max_depth_ = depth < kMaxDepth ? depth : kMaxDepth; }

  /// Replaces the document. False: see fault() and fault_at(); the index is then empty.
  bool parse(std::string_view text);
  void clear();

  [[nodiscard]] bool valid() const { return size_ != 0; }
  [[nodiscard]] JsonFault fault() const { return fault_; }
  [[nodiscard]] std::size_t fault_at() const { return fault_at_; }
  /// "unexpected character at byte 17".
  [[nodiscard]] std::string fault_text() const;

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::span<const JsonNode> nodes() const { return {nodes_.get(), size_}; }
  [[nodiscard]] const JsonNode& node(std::uint32_t index) const { return nodes_[index]; }
  [[nodiscard]] std::string_view span_of(const JsonNode& node) const { return text_.substr(node.at, node.size); }
  [[nodiscard]] std::string_view key_of(const JsonNode& node) const { return text_.substr(node.key_at, node.key_size); }
  /// The source text of the value, quotes of strings included.
  [[nodiscard]] std::string_view source_of(const JsonNode& node) const {
    if (node.type != JsonType::string) return span_of(node);
    return text_.substr(node.at - 1, std::size_t{node.size} + 2);
  }

  static constexpr std::uint32_t kAbsent = 0xFFFFFFFF;
  /// Index of the member `key` (decoded characters) of the object at `object`, or kAbsent.
  [[nodiscard]] std::uint32_t find(std::uint32_t object, std::string_view key) const;

 private:
  friend class JsonParser;
  void grow();

  std::unique_ptr<char[]> scratch_;  // the text again, padded with zeros, so that scanning needs no bounds checks
  std::size_t scratch_capacity_ = 0;
  std::unique_ptr<JsonNode[]> nodes_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t max_depth_ = kDefaultDepth;
  JsonFault fault_ = JsonFault::empty;
  std::size_t fault_at_ = 0;
  std::string_view text_;
};

/// Writes the characters of a JSON string body (valid by parse()) to `to`, which has room for raw.size() bytes; returns
/// the count. A lone surrogate becomes U+FFFD.
std::size_t decode_json_string(std::string_view raw, char* to);
/// True when `raw`, decoded, equals `text`. Allocates nothing.
bool json_string_equals(std::string_view raw, std::string_view text);

}  // namespace millrace::sql
