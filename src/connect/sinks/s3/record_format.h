// RecordFormat: records' values as the bytes of an object: JSON lines, or raw bytes with a separator.
//
// A format that writes columns (Parquet) fits in: its writer gathers rows and writes row groups when they are large
// enough, the rest and the footer in end(). What it writes must come from the records alone, never from when or in how
// many calls they came, so that a replay makes the same bytes. Thread: the task's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"
#include "connect/runtime/sink_record.h"
#include "connect/settings/settings.h"
#include "sql/arena.h"

namespace millrace::connect::s3 {

/// The records of one object.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  /// Adds a record; appends to `out` what can be written. Errors: malformed (this value has no such form; nothing was
  /// added).
  virtual Result<void> append(const Datum& value, Buffer& out) = 0;
  /// Behind the last record: everything that is kept, called once.
  virtual Result<void> end(Buffer& /*out*/) { return {}; }
  /// What it keeps itself, for the memory of all sinks.
  [[nodiscard]] virtual std::size_t kept_bytes() const { return 0; }
};

class RecordFormat {
 public:
  virtual ~RecordFormat() = default;
  /// Outlived by the format.
  virtual std::unique_ptr<RecordWriter> begin() = 0;
  [[nodiscard]] virtual std::string extension() const = 0;  // ".json"
  [[nodiscard]] virtual std::string_view content_type() const = 0;

  /// By the class that `key` names. Errors: invalid_argument.
  static Result<std::unique_ptr<RecordFormat>> make(const Settings& settings, std::string_view key = "format.class");
};

/// A record's headers as Confluent's JsonFormat writes them: texts, whatever their type was.
std::string headers_as_json(const SinkRecord& record);

}  // namespace millrace::connect::s3
