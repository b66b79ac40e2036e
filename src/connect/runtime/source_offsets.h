// SourceOffsets: how far sources have read: the compacted topic "connect-offsets" in Kafka Connect's form
// (OffsetStorageWriter with schemaless JSON converters): key ["connector",{source partition}], value {source offset}.
//
// Thread: any, but load(), attach() and alter(), which are the worker's loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/guarded.h"
#include "base/result.h"
#include "connect/runtime/source.h"
#include "topics/table_topic.h"

namespace millrace::connect {

/// JSON in one form: no white space, Kafka's escapes, members in their order. Empty when `value` is not there.
std::string compact_json(const sql::Value& value);

class SourceOffsets {
 public:
  /// For TableTopic::open.
  void load(ByteView key, std::optional<ByteView> value);
  void attach(std::shared_ptr<topics::TableTopic> table) { table_ = std::move(table); }

  [[nodiscard]] SourcePositions of(const std::string& connector) const;
  /// A task writes positions together with its records. What it is given back is called when that is settled, on any
  /// thread, and may outlive this object.
  using Settled = std::function<void(const Result<void>& outcome)>;
  Settled advance(const std::string& connector, SourcePositions positions);
  /// Whether an advance() is not settled: only then of() says how far the log is.
  [[nodiscard]] bool advancing(const std::string& connector) const;
  /// The key of a position in the topic.
  static std::string key_of(std::string_view connector, std::string_view partition);
  [[nodiscard]] const std::string& topic() const { return table_->name(); }

  using Changes = std::map<std::string, std::optional<std::string>>;  // nullopt: the position goes
  /// `done` when all are on disk.
  void alter(const std::string& connector, const Changes& changes, topics::TableTopic::Done done);

 private:
  struct Kept {
    SourcePositions positions;
    int advances = 0;  // not settled
  };
  using All = std::map<std::string, Kept, std::less<>>;
  std::shared_ptr<Guarded<All>> all_ = std::make_shared<Guarded<All>>();
  std::shared_ptr<topics::TableTopic> table_;
};

}  // namespace millrace::connect
