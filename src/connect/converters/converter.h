// Converter: bytes of a record's key, value or header to a Datum, for sinks, and back, for sources. Kafka Connect's
// class names are used. Converters of a schema registry (Avro, Protobuf, JSON Schema) will be further rows of the table
// in converter.cpp.
//
// Thread: one owner, the task.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "connect/runtime/sink_record.h"
#include "connect/settings/settings.h"
#include "sql/arena.h"
#include "sql/json_document.h"

namespace millrace::connect {

/// Memory of one batch: what converters and transformations make lives here until clear().
class BatchRoom {
 public:
  [[nodiscard]] sql::Arena& arena() { return arena_; }
  /// A document of its own, until clear().
  [[nodiscard]] sql::JsonDocument& document();
  void clear();

 private:
  sql::Arena arena_;
  std::deque<sql::JsonDocument> documents_;
  std::size_t used_ = 0;
};

class Converter {
 public:
  virtual ~Converter() = default;
  /// nullopt is a null key or a tombstone. `malformed`: the bytes are not of this form (a DataException). What is
  /// returned views `bytes` and `room`.
  virtual Result<Datum> to_datum(std::optional<ByteView> bytes, BatchRoom& room) = 0;
  /// The other way. `malformed`: the converter has no form for such a value (a DataException).
  virtual Result<std::optional<ByteView>> to_bytes(const Datum& datum, BatchRoom& room) = 0;
};

struct ConverterClass {
  std::string_view class_name;
  ConfigRows rows;
  std::unique_ptr<Converter> (*make)(const Settings& settings);
  std::string_view type = "converter";  // "header_converter" as Connect lists it
};

std::span<const ConverterClass> converter_classes();
/// Null: no such class here.
const ConverterClass* find_converter(std::string_view class_name);
/// Why a class that other workers have is not here, and what to do; empty: nobody knows it. The converters that need a
/// schema registry have their place in the table of classes when there is one.
std::string_view missing_converter(std::string_view class_name);

}  // namespace millrace::connect
