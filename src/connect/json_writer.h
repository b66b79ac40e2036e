// JsonWriter: builds a JSON text member by member; commas and quotes are its business. Thread: one owner.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/message.h"

namespace millrace::connect {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name) {
    separate();
    text_ += net::http::json_string(name);
    text_ += ':';
    after_key_ = true;
    return *this;
  }
  JsonWriter& value(std::string_view text) { return raw(net::http::json_string(text)); }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  template <std::integral T>
  JsonWriter& value(T number) {
    return raw(std::to_string(number));
  }
  JsonWriter& value(const std::optional<std::string>& text) { return text ? value(*text) : null(); }
  JsonWriter& null() { return raw("null"); }
  /// A value that is JSON already.
  JsonWriter& raw(std::string_view json) {
    separate();
    text_ += json;
    return *this;
  }
  template <class T>
  JsonWriter& member(std::string_view name, const T& what) {
    return key(name).value(what);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (after_key_) {
      after_key_ = false;
    } else if (!text_.empty() && text_.back() != '{' && text_.back() != '[') {
      text_ += ',';
    }
  }
  JsonWriter& open(char bracket) {
    separate();
    text_ += bracket;
    return *this;
  }
  JsonWriter& close(char bracket) {
    text_ += bracket;
    return *this;
  }
  std::string text_;
  bool after_key_ = false;
};

}  // namespace millrace::connect
