// Members of JSON objects as C++ values, for the small documents that connectors keep and exchange. Thread: any.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sql/json_document.h"
#include "sql/value.h"

namespace millrace::connect {

/// The characters of a string; the digits of a number; true, false. nullopt: absent, null, an array or an object.
inline std::optional<std::string> scalar_text(const sql::Value& value) {
  sql::Arena arena(256);
  if (value.is_undefined() || value.is_null()) return std::nullopt;
  if (value.type() == sql::Value::Type::array || value.type() == sql::Value::Type::object) return std::nullopt;
  const auto text = sql::to_text(arena, value);
  return text ? std::optional<std::string>(*text) : std::nullopt;
}
inline std::string member_text(const sql::Value& object, std::string_view name) {
  return scalar_text(object.member(name)).value_or("");
}
inline std::int64_t member_number(const sql::Value& object, std::string_view name, std::int64_t otherwise = 0) {
  const std::string text = member_text(object, name);
  std::int64_t number = otherwise;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : otherwise;
}
/// The root of a parsed document; Undefined when it did not parse.
inline sql::Value root_of(const sql::JsonDocument& document) {
  return document.valid() ? sql::Value::of(document, sql::JsonDocument::kRoot) : sql::Value();
}

/// A member by its name, or by a path of names ("position.time").
inline sql::Value field_at(const sql::Value& value, std::string_view path) {
  if (const sql::Value whole = value.member(path); !whole.is_undefined()) return whole;
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) return {};
  return field_at(value.member(path.substr(0, dot)), path.substr(dot + 1));
}

}  // namespace millrace::connect
