#include "sql/json_parser.h"

#include <array>
#include <cstring>

#include "sql/json_scan.h"

namespace millrace::sql {

bool JsonParser::fail(JsonFault fault, const char* where) {
  // A zero byte behind the text is the padding, not a character.
  if (where >= end_) {
    where = end_;
    if (fault != JsonFault::too_deep && fault != JsonFault::trailing_characters) {
      fault = end_ == begin_ ? JsonFault::empty : JsonFault::unterminated;
    }
  }
  document_.fault_ = fault;
  document_.fault_at_ = static_cast<std::size_t>(where - begin_);
  return false;
}

/// Behind the first byte that is not plain: escapes, UTF-8 sequences, then on to the closing quote.
bool JsonParser::string_rest(bool& escaped) {
  while (true) {
    const auto c = static_cast<unsigned char>(*at_);
    if (c == '"') return true;
    if (c == '\\') {
      escaped = true;
      switch (at_[1]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
          at_ += 2;
          break;
        case 'u':
          for (int i = 2; i < 6; ++i) {
            const char h = at_[i];
            const bool hex = (h >= '0' && h <= '9') || (h >= 'a' && h <= 'f') || (h >= 'A' && h <= 'F');
            if (!hex) return fail(JsonFault::bad_escape, at_ + i);
          }
          at_ += 6;
          break;
        default:
          return fail(JsonFault::bad_escape, at_ + 1);
      }
    } else if (c >= 0x80) {
      const std::size_t length = utf8_sequence(at_);
      if (length == 0) return fail(JsonFault::bad_utf8, at_);
      at_ += length;
      if (static_cast<unsigned char>(*at_) >= 0x80) continue;
    } else {
      return fail(JsonFault::control_character, at_);
    }
    at_ = find_not_plain(at_);
  }
}

/// At the opening quote; leaves behind the closing one.
inline bool JsonParser::string_body(std::uint32_t& at, std::uint32_t& size, bool& escaped) {
  ++at_;
  at = position();
  at_ = find_not_plain(at_);
  if (*at_ != '"') [[unlikely]] {
    if (!string_rest(escaped)) return false;
  }
  size = position() - at;
  ++at_;
  return true;
}

inline bool JsonParser::number(JsonNode& node) {
  node.type = JsonType::number;
  node.at = position();
  node.flag = true;
  if (*at_ == '-') ++at_;
  if (*at_ == '0') {
    ++at_;
    if (*at_ >= '0' && *at_ <= '9') return fail(JsonFault::bad_number, at_);
  } else {
    const char* digits = at_;
    at_ = skip_digits(at_);
    if (at_ == digits) return fail(JsonFault::bad_number, at_);
  }
  if (*at_ == '.') {
    node.flag = false;
    const char* digits = ++at_;
    at_ = skip_digits(at_);
    if (at_ == digits) return fail(JsonFault::bad_number, at_);
  }
  if ((*at_ | 0x20) == 'e') [[unlikely]] {
    node.flag = false;
    ++at_;
    if (*at_ == '+' || *at_ == '-') ++at_;
    const char* digits = at_;
    at_ = skip_digits(at_);
    if (at_ == digits) return fail(JsonFault::bad_number, at_);
  }
  node.size = position() - node.at;
  return true;
}

inline bool JsonParser::literal(JsonNode& node) {
  node.at = position();
  if (std::memcmp(at_, "true", 4) == 0) {
    node.type = JsonType::boolean;
    node.flag = true;
    node.size = 4;
  } else if (std::memcmp(at_, "false", 5) == 0) {
    node.type = JsonType::boolean;
    node.size = 5;
  } else if (std::memcmp(at_, "null", 4) == 0) {
    node.type = JsonType::null;
    node.size = 4;
  } else {
    return fail(JsonFault::unexpected_character, at_);
  }
  at_ += node.size;
  return true;
}

bool JsonParser::run() {
  std::array<std::uint32_t, JsonDocument::kMaxDepth>
      open;  // indices of the containers that are open; written before read
  std::uint32_t depth = 0;
  std::uint32_t count = 0;
  std::uint32_t key_at = 0;
  std::uint32_t key_size = 0;
  bool key_escaped = false;

  skip_space();
  while (true) {
    // A value starts here.
    if (count == document_.capacity_) [[unlikely]]
      document_.grow();
    JsonNode& node = document_.nodes_[count];
    node = JsonNode{};
    node.key_at = key_at;
    node.key_size = key_size;
    node.key_escaped = key_escaped;
    const char c = *at_;
    if (c == '"') {
      node.type = JsonType::string;
      if (!string_body(node.at, node.size, node.escaped)) return false;
      node.end = ++count;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      if (!number(node)) return false;
      node.end = ++count;
    } else if (c == '{' || c == '[') {
      if (depth == document_.max_depth_) return fail(JsonFault::too_deep, at_);
      const bool object = c == '{';
      node.type = object ? JsonType::object : JsonType::array;
      node.at = position();
      open[depth++] = count++;
      ++at_;
      if (*at_ <= ' ') skip_space();
      if (*at_ != (object ? '}' : ']')) {
        if (object) goto member;
        key_size = 0;
        key_escaped = false;
        continue;
      }
    } else {
      if (!literal(node)) return false;
      node.end = ++count;
    }

    // Behind a value: commas and closing brackets.
    while (true) {
      if (depth == 0) {
        skip_space();
        if (at_ != end_) return fail(JsonFault::trailing_characters, at_);
        document_.size_ = count;
        return true;
      }
      if (*at_ <= ' ') skip_space();
      JsonNode& parent = document_.nodes_[open[depth - 1]];
      const bool object = parent.type == JsonType::object;
      if (*at_ == ',') {
        ++at_;
        if (*at_ <= ' ') skip_space();
        if (object) goto member;
        key_size = 0;
        key_escaped = false;
        break;
      }
      if (*at_ != (object ? '}' : ']')) return fail(JsonFault::unexpected_character, at_);
      ++at_;
      parent.size = position() - parent.at;
      parent.end = count;
      --depth;
    }
    continue;

  member:
    if (*at_ != '"') return fail(JsonFault::unexpected_character, at_);
    key_escaped = false;
    if (!string_body(key_at, key_size, key_escaped)) return false;
    if (*at_ != ':') {
      skip_space();
      if (*at_ != ':') return fail(JsonFault::unexpected_character, at_);
    }
    ++at_;
    if (*at_ <= ' ') skip_space();
  }
}

}  // namespace millrace::sql
