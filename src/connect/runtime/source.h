// Source: what a place that records come from has to provide. Transformations, converters, appending, waiting and the
// keeping of positions belong to the runtime, once; a source reads and tells how far it has read.
//
// Positions are Kafka Connect's source partitions and source offsets: JSON objects as text, in one form
// (compact_json), e.g. {"filename":"/var/log/x"} and {"position":1200}. They are written in the same atomic group as
// the records in front of them: after any crash a source goes on exactly behind what is in the log.
//
// Thread: all calls of one source come from its task's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "connect/converters/converter.h"
#include "connect/runtime/sink_record.h"
#include "connect/runtime/surroundings.h"
#include "connect/settings/settings.h"

namespace millrace::connect {

using SourcePositions = std::map<std::string, std::string>;  // source partition to source offset

/// What one poll() reads. Thread: one owner.
struct SourceBatch {
  BatchRoom room;                    // what the images view
  std::vector<RecordImage> records;  // topic, key, value, headers, timestamp; partition only when the source says so
  SourcePositions positions;         // behind the last of them
  /// Of each record a number of its own that every reading gives again (of a line: where it begins): the failure
  /// ledger's offset. Empty: the source has none.
  std::vector<std::int64_t> numbers;
  void clear() {
    records.clear();
    numbers.clear();
    positions.clear();
    room.clear();
  }
};

struct SourceContext {
  std::string connector;
  std::int32_t task = 0;
  Settings settings;
  const Surroundings& surroundings;
};

class Source {
 public:
  virtual ~Source() = default;
  /// Called once, before all else. Errors are fatal but for `unavailable` and `timed_out`, which are tried again.
  virtual Result<void> open(const SourcePositions& positions) = 0;
  /// Adds what there is to an empty batch, some thousand records at most; nothing when there is nothing now. Must not
  /// block for long.
  virtual Result<void> poll(SourceBatch& batch) = 0;
};

}  // namespace millrace::connect
