// RecordPath: what happens to a record between log and sink: converters, then transformations; between source and log:
// transformations, then converters. Thread: the task's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connect/converters/converter.h"
#include "connect/runtime/failed_record.h"
#include "connect/transforms/transform.h"

namespace millrace::connect {

class RecordPath {
 public:
  /// Errors: invalid_argument (a class that is not here, a setting of one).
  static Result<RecordPath> make(const Settings& settings);

  enum class Way : std::uint8_t { kept, dropped, failed };
  /// Appends the record to `records`, or drops it, or tells why it failed. `origin` views memory that outlives `room`.
  Way convert(const Origin& origin, BatchRoom& room, std::vector<SinkRecord>& records, FailedRecord& failed);

  /// A record for the log. Views into the room, and what the source's image views.
  struct Produced {
    std::string_view topic;
    std::optional<std::int32_t> partition;
    RecordView record;
    std::vector<RecordHeader> headers;
  };
  /// The way of a source's record into `into`.
  Way reverse(SinkRecord& record, BatchRoom& room, Produced& into, FailedRecord& failed);

 private:
  struct Step {
    std::string class_name;
    std::unique_ptr<Converter> converter;
  };
  static Result<Step> converter_of(const Settings& settings, std::string_view key);

  Step key_;
  Step value_;
  Step header_;
  TransformChain transforms_;
};

}  // namespace millrace::connect
