// Table: rows that rules look up by key. Implementations: TopicTable, PostgresTable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pipeline/outside_desk.h"

namespace millrace::references {

using Answer = pipeline::OutsideDesk::Answer;
using Done = pipeline::OutsideDesk::Done;
using State = sql::Outside::State;

struct RowKey {
  std::string_view key;
  std::optional<std::string_view> sort{};
};

class Table {
 public:
  struct Status {
    bool ready = false;  // it answers from what it holds, or its other side answers
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::string problem{};  // empty: none
  };
  virtual ~Table() = default;
  /// Thread: any.
  virtual std::optional<Answer> known(const RowKey& key) = 0;
  /// `done` runs on `loop`, once, within seconds. Thread: any.
  virtual void ask(const RowKey& key, Executor& loop, Done done) = 0;
  [[nodiscard]] virtual Status status() const = 0;
  /// Answers what waits, ends its threads. Once, by the owner.
  virtual void stop() = 0;
};

}  // namespace millrace::references
