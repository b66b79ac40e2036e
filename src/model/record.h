// Record: one key, value, headers and timestamp. Views only; the owner is whoever made it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace millrace {

struct RecordHeader {
  std::string_view key;
  std::optional<ByteView> value;
};

struct RecordView {
  std::optional<ByteView> key;    // nullopt: null key
  std::optional<ByteView> value;  // nullopt: tombstone
  std::span<const RecordHeader> headers;
  std::int64_t timestamp_ms = 0;
};

}  // namespace millrace
