// Structured log lines: an event name and key=value fields, one line each to standard error.
//
//   log::info("segment_rolled", {{"topic", name}, {"base_offset", offset}});
//   2026-11-21T13:00:00.123Z INFO segment_rolled topic=message-log base_offset=1200
//
// Never payloads, never secrets. Thread: any; a line is one write.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace millrace::log {

enum class Level { debug, info, warn, error, off };

class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : key_(key), value_(value) {}
  Field(std::string_view key, const std::string& value) : key_(key), value_(value) {}
  Field(std::string_view key, bool value) : key_(key), value_(value ? "true" : "false") {}
  template <std::integral T>
  Field(std::string_view key, T value) : key_(key), value_(std::to_string(value)) {}
  Field(std::string_view key, double value) : key_(key), value_(std::to_string(value)) {}
  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  std::string_view key_;
  std::string value_;
};

using Fields = std::initializer_list<Field>;

/// Lines below `level` are not written. Default: info.
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view event, Fields fields);

inline void debug(std::string_view event, Fields fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
  write(Level::info, event, fields);
}
inline void warn(std::string_view event, Fields fields = {}) {
  write(Level::warn, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  write(Level::error, event, fields);
}

}  // namespace millrace::log
