// OutsideDesk: where the questions of all loops go that rules ask beyond their message (reference tables, functions),
// and the Protobuf descriptors they name. Implemented by `references`; the pipeline knows only this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/executor.h"
#include "sql/outside.h"

namespace millrace::pipeline {

class OutsideDesk {
 public:
  struct Answer {
    sql::Outside::State state = sql::Outside::State::failed;  // never waiting
    std::string text;
  };
  virtual ~OutsideDesk() = default;
  /// What is in memory; nullopt: ask(). Thread: any.
  virtual std::optional<Answer> known(const sql::Question& question) = 0;
  using Done = std::move_only_function<void(Answer)>;
  /// Copies the question. `done` runs on `loop`, once, later, within seconds whatever happens: every wait has an end.
  /// Thread: any.
  virtual void ask(const sql::Question& question, Executor& loop, Done done) = 0;
  /// nullptr: there is none. Thread: any.
  virtual std::shared_ptr<const sql::ProtobufSchema> schema(std::string_view name) = 0;
};

}  // namespace millrace::pipeline
