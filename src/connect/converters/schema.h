// Schema: Kafka Connect's description of a value's type, as the JSON converter's envelope carries it
// ({"schema": {"type": "struct", "fields": [...]}, "payload": ...}). Immutable once made; whoever made it keeps it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/value.h"

namespace millrace::connect {

enum class SchemaType : std::uint8_t {
  int8,
  int16,
  int32,
  int64,
  float32,
  float64,
  boolean,
  string,
  bytes,
  array,
  map,
  structure
};

/// "int32", "struct", as in the envelope.
std::string_view to_string(SchemaType type);

struct Schema {
  struct Field {
    std::string name;
    std::shared_ptr<const Schema> schema;
  };
  SchemaType type = SchemaType::string;
  bool optional = false;
  std::string name{};                               // "org.apache.kafka.connect.data.Timestamp" for logical types
  int version = 0;                                  // 0: none
  std::vector<Field> fields{};                      // structure
  std::shared_ptr<const Schema> element = nullptr;  // array, map values

  [[nodiscard]] const Schema* field(std::string_view field_name) const;

  /// Reads the envelope's "schema" member. Errors: malformed with Connect's words.
  static Result<std::shared_ptr<const Schema>> parse(const sql::Value& json, int depth = 0);
  /// The same, written.
  [[nodiscard]] std::string json() const;
};

inline constexpr std::string_view kTimestampLogicalName = "org.apache.kafka.connect.data.Timestamp";
inline constexpr std::string_view kDateLogicalName = "org.apache.kafka.connect.data.Date";
inline constexpr std::string_view kTimeLogicalName = "org.apache.kafka.connect.data.Time";

}  // namespace millrace::connect
