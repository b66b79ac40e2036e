// SinkRecord: one record on its way to a sink: where it came from, which nothing can change, and what converters and
// transformations made of it. Bookmarks, names of objects and ids of documents come from the origin, so a
// transformation that renames the topic cannot make a connector read everything again (KIP-793's trouble).
//
// Views into the batch that holds the record; valid until the sink's put() returns. Thread: the task's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "model/ids.h"
#include "model/record.h"
#include "model/topic_partition.h"
#include "sql/value.h"

namespace millrace::connect {

struct Schema;  // converters/schema.h

/// A key, a value or a header's value after its converter: nothing, bytes, or a JSON-like value.
struct Datum {
  enum class Kind : std::uint8_t { null, bytes, value };
  Kind kind = Kind::null;
  ByteView bytes{};
  sql::Value value{};
  const Schema* schema = nullptr;  // null: without schema

  static Datum of(const sql::Value& value, const Schema* schema = nullptr) {
    return {value.is_null() || value.is_undefined() ? Kind::null : Kind::value, {}, value, schema};
  }
  static Datum of_bytes(ByteView bytes) { return {Kind::bytes, bytes, {}, nullptr}; }
  [[nodiscard]] bool is_null() const { return kind == Kind::null; }
  [[nodiscard]] bool is_object() const { return kind == Kind::value && value.type() == sql::Value::Type::object; }
};

struct DatumHeader {
  std::string_view key;
  Datum value;
};

/// Where a record is in the log, with its bytes as they are there.
struct Origin {
  const TopicPartition* partition = nullptr;
  std::uint32_t lane = 0;  // the partition's number within its task
  Offset offset;
  std::int64_t timestamp_ms = kNoTimestamp;
  std::optional<ByteView> key{};
  std::optional<ByteView> value{};
  std::span<const RecordHeader> headers{};
};

/// What the sink is to write; transformations change it.
struct RecordImage {
  std::string_view topic;
  std::optional<std::int32_t> partition{};
  std::int64_t timestamp_ms = kNoTimestamp;
  Datum key{};
  Datum value{};
  std::span<DatumHeader> headers{};
};

class SinkRecord {
 public:
  SinkRecord(const Origin& origin, const RecordImage& made) : image(made), origin_(origin) {}
  [[nodiscard]] const Origin& origin() const { return origin_; }
  RecordImage image;

 private:
  Origin origin_;
};

}  // namespace millrace::connect
