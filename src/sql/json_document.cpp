#include "sql/json_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "sql/json_parser.h"
#include "sql/json_scan.h"

namespace millrace::sql {

namespace {

/// More than this is given back before the next small document.
constexpr std::size_t kKeepBytes = std::size_t{1} << 20U;

unsigned hex4(const char* at) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const auto c = static_cast<unsigned>(static_cast<unsigned char>(at[i]));
    value = value << 4U | (c <= '9' ? c - '0' : (c | 0x20U) - 'a' + 10);
  }
  return value;
}

/// Takes one escape at `raw[at]` (a backslash); writes its UTF-8 form to `to`.
std::size_t decode_escape(std::string_view raw, std::size_t& at, char* to) {
  const char kind = raw[at + 1];
  at += 2;
  switch (kind) {
    case 'b':
      *to = '\b';
      return 1;
    case 'f':
      *to = '\f';
      return 1;
    case 'n':
      *to = '\n';
      return 1;
    case 'r':
      *to = '\r';
      return 1;
    case 't':
      *to = '\t';
      return 1;
    case 'u':
      break;
    default:
      *to = kind;
      return 1;
  }
  unsigned point = hex4(raw.data() + at);
  at += 4;
  if (point >= 0xD800 && point < 0xE000) {
    const bool pair = point < 0xDC00 && raw.size() - at >= 6 && raw[at] == '\\' && raw[at + 1] == 'u';
    const unsigned low = pair ? hex4(raw.data() + at + 2) : 0;
    if (low >= 0xDC00 && low < 0xE000) {
      point = 0x10000 + ((point - 0xD800) << 10U) + (low - 0xDC00);
      at += 6;
    } else {
      point = 0xFFFD;
    }
  }
  if (point < 0x80) {
    to[0] = static_cast<char>(point);
    return 1;
  }
  if (point < 0x800) {
    to[0] = static_cast<char>(0xC0U | point >> 6U);
    to[1] = static_cast<char>(0x80U | (point & 0x3FU));
    return 2;
  }
  if (point < 0x10000) {
    to[0] = static_cast<char>(0xE0U | point >> 12U);
    to[1] = static_cast<char>(0x80U | (point >> 6U & 0x3FU));
    to[2] = static_cast<char>(0x80U | (point & 0x3FU));
    return 3;
  }
  to[0] = static_cast<char>(0xF0U | point >> 18U);
  to[1] = static_cast<char>(0x80U | (point >> 12U & 0x3FU));
  to[2] = static_cast<char>(0x80U | (point >> 6U & 0x3FU));
  to[3] = static_cast<char>(0x80U | (point & 0x3FU));
  return 4;
}

}  // namespace

std::string_view to_string(JsonFault fault) {
  switch (fault) {
    case JsonFault::none:
      return "valid";
    case JsonFault::empty:
      return "empty text";
    case JsonFault::unexpected_character:
      return "unexpected character";
    case JsonFault::unterminated:
      return "unexpected end";
    case JsonFault::bad_escape:
      return "bad escape sequence";
    case JsonFault::control_character:
      return "control character in a string";
    case JsonFault::bad_utf8:
      return "invalid UTF-8";
    case JsonFault::bad_number:
      return "malformed number";
    case JsonFault::too_deep:
      return "nested too deeply";
    case JsonFault::trailing_characters:
      return "characters behind the document";
    case JsonFault::too_large:
      return "too large";
  }
  return "invalid";
}

std::string JsonDocument::fault_text() const {
  return fmt::format("{} at byte {}", to_string(fault_), fault_at_);
}

void JsonDocument::clear() {
  size_ = 0;
  text_ = {};
  fault_ = JsonFault::empty;
  fault_at_ = 0;
}

void JsonDocument::grow() {
  const std::uint32_t capacity = std::max<std::uint32_t>(256, capacity_ * 2);
  std::unique_ptr<JsonNode[]> nodes(new JsonNode[capacity]);
  std::copy_n(nodes_.get(), capacity_, nodes.get());
  nodes_ = std::move(nodes);
  capacity_ = capacity;
}

bool JsonDocument::parse(std::string_view text) {
  clear();
  if (text.size() >= std::numeric_limits<std::uint32_t>::max() / 2) {
    fault_ = JsonFault::too_large;
    return false;
  }
  const std::size_t padded = text.size() + kScanPadding;
  if (padded > scratch_capacity_ || (scratch_capacity_ > kKeepBytes && padded <= kKeepBytes)) [[unlikely]] {
    scratch_capacity_ = std::max<std::size_t>(padded, 4096);
    scratch_.reset(new char[scratch_capacity_]);
    if (capacity_ * sizeof(JsonNode) > kKeepBytes && padded <= kKeepBytes) {
      nodes_.reset();
      capacity_ = 0;
    }
  }
  if (!text.empty()) std::memcpy(scratch_.get(), text.data(), text.size());
  std::memset(scratch_.get() + text.size(), 0, kScanPadding);
  text_ = text;
  if (!JsonParser(*this, scratch_.get(), text.size()).run()) {
    size_ = 0;
    return false;
  }
  fault_ = JsonFault::none;
  return true;
}

std::uint32_t JsonDocument::find(std::uint32_t object, std::string_view key) const {
  std::uint32_t found = kAbsent;
  const JsonNode& parent = nodes_[object];
  if (parent.type != JsonType::object) return found;
  const char* text = text_.data();
  for (std::uint32_t i = object + 1; i < parent.end;) {
    const JsonNode& member = nodes_[i];
    const std::uint32_t here = i;
    // A branch, not a load: the next member's address must not wait for this one's.
    if (member.type < JsonType::array) [[likely]] {
      ++i;
    } else {
      i = member.end;
    }
    if (member.key_escaped) [[unlikely]] {
      if (json_string_equals(key_of(member), key)) found = here;
    } else if (std::string_view(text + member.key_at, member.key_size) == key) {
      found = here;
    }
  }
  return found;
}

std::size_t decode_json_string(std::string_view raw, char* to) {
  char* const begin = to;
  std::size_t at = 0;
  while (at < raw.size()) {
    const void* escape = std::memchr(raw.data() + at, '\\', raw.size() - at);
    const std::size_t plain = escape == nullptr
                                  ? raw.size() - at
                                  : static_cast<std::size_t>(static_cast<const char*>(escape) - raw.data()) - at;
    std::memcpy(to, raw.data() + at, plain);
    to += plain;
    at += plain;
    if (at < raw.size()) to += decode_escape(raw, at, to);
  }
  return static_cast<std::size_t>(to - begin);
}

bool json_string_equals(std::string_view raw, std::string_view text) {
  std::size_t at = 0;
  std::size_t matched = 0;
  while (at < raw.size()) {
    if (raw[at] != '\\') {
      if (matched == text.size() || raw[at] != text[matched]) return false;
      ++at;
      ++matched;
      continue;
    }
    char bytes[4];
    const std::size_t count = decode_escape(raw, at, bytes);
    if (text.size() - matched < count || std::memcmp(bytes, text.data() + matched, count) != 0) return false;
    matched += count;
  }
  return matched == text.size();
}

}  // namespace millrace::sql
