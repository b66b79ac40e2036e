// FailedRecord: a record that a connector gave up, where and why. The view of the record is valid only while its batch
// is.
#pragma once

#include <string>
#include <string_view>

#include "connect/runtime/sink_record.h"

namespace millrace::connect {

/// org.apache.kafka.connect.runtime.errors.Stage.
enum class Stage : std::uint8_t { key_converter, value_converter, header_converter, transformation, task_put };

constexpr std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::key_converter:
      return "KEY_CONVERTER";
    case Stage::value_converter:
      return "VALUE_CONVERTER";
    case Stage::header_converter:
      return "HEADER_CONVERTER";
    case Stage::transformation:
      return "TRANSFORMATION";
    case Stage::task_put:
      return "TASK_PUT";
  }
  return "TASK_PUT";
}

inline constexpr std::string_view kDataException = "org.apache.kafka.connect.errors.DataException";
inline constexpr std::string_view kConnectException = "org.apache.kafka.connect.errors.ConnectException";

struct FailedRecord {
  Origin origin;
  Stage stage = Stage::task_put;
  std::string class_name;   // the converter, transformation or connector it failed in
  std::string error_class;  // the exception Kafka Connect would have thrown
  std::string message;
};

}  // namespace millrace::connect
