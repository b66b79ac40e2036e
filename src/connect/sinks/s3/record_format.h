// RecordFormat: a record's value as the bytes of an object: JSON lines, or raw bytes with a separator. Parquet and Avro
// have their place here once there are schemas. Thread: the task's.
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

class RecordFormat {
 public:
  virtual ~RecordFormat() = default;
  /// Errors: malformed (this value has no such form).
  virtual Result<void> append(const Datum& value, Buffer& out) = 0;
  [[nodiscard]] virtual std::string extension() const = 0;  // ".json"
  [[nodiscard]] virtual std::string_view content_type() const = 0;

  /// By format.class. Errors: invalid_argument.
  static Result<std::unique_ptr<RecordFormat>> make(const Settings& settings);
};

}  // namespace millrace::connect::s3
