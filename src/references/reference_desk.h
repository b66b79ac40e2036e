// ReferenceDesk: everything rules may name, and who answers for it. Thread: known(), ask() and schema() any; the rest
// by the owner, one at a time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "metrics/registry.h"
#include "net/loop.h"
#include "pipeline/outside_desk.h"
#include "references/definition.h"
#include "references/http_function.h"
#include "references/table.h"
#include "sql/protobuf_schema.h"
#include "topics/topic_log.h"

namespace millrace::references {

class ReferenceDesk final : public pipeline::OutsideDesk {
 public:
  /// All outlive it.
  ReferenceDesk(topics::TopicLog& log, const Clock& clock, metrics::Registry& metrics);
  ~ReferenceDesk() override { stop(); }
  ReferenceDesk(const ReferenceDesk&) = delete;
  ReferenceDesk& operator=(const ReferenceDesk&) = delete;

  /// Replaces one of the same kind and name. Requires a checked definition.
  void put(const Definition& definition);
  void remove(Kind kind, std::string_view name);
  /// What is wrong with naming it; nullopt: it is there.
  [[nodiscard]] std::optional<std::string> problem_with(const sql::Reference& reference) const;
  [[nodiscard]] std::shared_ptr<Table> table(std::string_view name) const;
  /// While no loop asks any more.
  void stop();

  std::optional<Answer> known(const sql::Question& question) override;
  void ask(const sql::Question& question, Executor& loop, Done done) override;
  std::shared_ptr<const sql::ProtobufSchema> schema(std::string_view name) override;

 private:
  template <class T>
  using Named = std::map<std::string, std::shared_ptr<T>, std::less<>>;
  struct All {
    Named<Table> tables;
    Named<HttpFunction> functions;
    Named<const sql::ProtobufSchema> schemas;
  };
  template <class T>
  [[nodiscard]] std::shared_ptr<T> find(Named<T> All::* kind, std::string_view name) const {
    return all_.with([&](const All& all) {
      const auto found = (all.*kind).find(name);
      return found == (all.*kind).end() ? nullptr : found->second;
    });
  }

  topics::TopicLog& log_;
  const Clock& clock_;
  Guarded<All> all_;
  net::Loop loop_;  // of the topic tables
  std::thread thread_;
};

}  // namespace millrace::references
