// JsonParser: the single pass behind JsonDocument::parse(). Iterative; the stack of open containers is an array on the
// stack.
#pragma once

#include <cstdint>

#include "sql/json_document.h"

namespace millrace::sql {

class JsonParser {
 public:
  /// `text` is followed by kScanPadding zero bytes that are not part of it.
  JsonParser(JsonDocument& document, const char* text, std::size_t size)
      : document_(document), begin_(text), at_(text), end_(text + size) {}
  bool run();

 private:
  bool fail(JsonFault fault, const char* where);
  bool string_body(std::uint32_t& at, std::uint32_t& size, bool& escaped);
  bool string_rest(bool& escaped);
  bool number(JsonNode& node);
  bool literal(JsonNode& node);
  void skip_space() {
    while (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t') ++at_;
  }
  [[nodiscard]] std::uint32_t position() const { return static_cast<std::uint32_t>(at_ - begin_); }

  JsonDocument& document_;
  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace millrace::sql
