// ObjectSet: the objects of one lane that are being filled together and will be cut at one offset. A set begins at the
// lane's bookmark; when it is cut, all its objects are completed and the bookmark moves behind them.
//
// What makes a replay repeat the same objects: their names come from the offsets of their first records, and the cut
// comes from the records alone. Where it does not (the wall clock decides the folder or the cut, or memory runs out)
// the decision is written down beside the bookmark before anything is uploaded (Plan), and a replay follows it. Thread:
// the task's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "connect/sinks/s3/open_object.h"
#include "model/topic_partition.h"

namespace millrace::connect::s3 {

/// A cut that was decided by something other than the records: "end=1200;clock=1700000000000".
struct Plan {
  Offset end;        // first offset behind the set
  WallTime clock{};  // what the wall clock extractor takes for the whole set
  [[nodiscard]] std::string note() const;
  static std::optional<Plan> parse(std::string_view note);
};

struct ObjectSet {
  const TopicPartition* partition = nullptr;
  Offset begin;              // the bookmark: everything before it is in the bucket
  Offset next;               // behind the last record that was taken
  std::optional<Plan> plan;  // from before a restart: this set ends there
  WallTime clock{};          // at the set's first record
  std::int64_t records = 0;
  std::unique_ptr<SpillFile> spill;  // of what its objects have on disk; null: nothing. Outlives them.
  std::map<std::string, std::unique_ptr<OpenObject>, std::less<>> objects;  // by topic and folder, and the ending
  std::int64_t first_time = 0;                                              // of the set's first record
  // Of the last record, so that its successors in the same object cost no look-up.
  std::string topic;
  std::string folder;
  OpenObject* current = nullptr;
  bool cutting = false;   // decided; objects are being completed
  bool by_clock = false;  // decided by something a replay would not see
  bool plan_written = false;
  std::int64_t kept_bytes = 0;  // as accounted

  [[nodiscard]] bool empty() const { return records == 0; }
  /// Of memory, with what an object takes beside its bytes.
  [[nodiscard]] std::int64_t bytes() const;
  /// The next set begins behind this one.
  void start_over();
};

}  // namespace millrace::connect::s3
