// RecordSource: makes the records of the simulated writers, so that anybody who reads one back can tell whose it is and
// that every byte is right, from (writer, number) alone. Thread: any; no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "model/record.h"

namespace millrace::sim {

/// Which record: the `number`th of its writer to its partition.
struct RecordName {
  std::uint64_t writer = 0;
  std::uint64_t number = 0;
  auto operator<=>(const RecordName&) const = default;
  [[nodiscard]] std::string to_string() const { return std::to_string(writer) + "/" + std::to_string(number); }
};

class RecordSource {
 public:
  explicit RecordSource(std::uint64_t seed) : seed_(seed) {}
  /// One of a few, so that keys come again and again.
  [[nodiscard]] std::string key(RecordName name) const;
  /// True when it deletes its key: then it has no value, and a header that says whose it is.
  [[nodiscard]] bool tombstone(RecordName name) const;
  static constexpr std::string_view kNameHeader = "name";
  /// 16 to about 1,500 bytes, beginning with the name.
  [[nodiscard]] std::string value(RecordName name) const;
  /// Whose record this is; nullopt when nobody ever made it.
  [[nodiscard]] std::optional<RecordName> name(const RecordView& record) const;

 private:
  std::uint64_t seed_;
};

}  // namespace millrace::sim
