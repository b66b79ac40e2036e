// ReferenceStore: the tables, functions and descriptors that are data, in the compacted topic __rule_references (key
// "table/NAME"), beside those of the configuration. A change is checked, made durable, and then in force.
// Thread: the loop given to open(), for every call and callback.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "references/reference_desk.h"
#include "topics/table_topic.h"

namespace millrace::references {

inline constexpr std::string_view kReferenceTopic = "__rule_references";

class ReferenceStore : public std::enable_shared_from_this<ReferenceStore> {
 public:
  static constexpr std::size_t kMost = 10'000;

  using Opened = std::move_only_function<void(Result<std::shared_ptr<ReferenceStore>>)>;
  using Done = std::move_only_function<void(Result<void>)>;
  /// The name of a rule that names it; empty: none does.
  using UsedBy = std::function<std::string(Kind kind, std::string_view name)>;

  /// Puts all of them on the desk, the configured ones too. Everything named outlives the store.
  static void open(topics::TopicLog& log, const Clock& clock, Executor& loop, ReferenceDesk& desk,
                   std::vector<Definition> configured, UsedBy used_by, Opened opened);

  /// Creates or replaces. Errors: invalid_argument (it stands in the configuration), too_large.
  void put(Definition definition, Done done);
  /// Errors: not_found, invalid_argument (it stands in the configuration, or a rule names it).
  void remove(Kind kind, const std::string& name, Done done);

  struct Listed {
    const Definition* definition = nullptr;
    bool configured = false;
  };
  [[nodiscard]] std::vector<Listed> list(Kind kind) const;
  [[nodiscard]] std::optional<Listed> find(Kind kind, std::string_view name) const;
  [[nodiscard]] ReferenceDesk& desk() { return desk_; }

 private:
  using Key = std::pair<Kind, std::string>;
  ReferenceStore(ReferenceDesk& desk, std::vector<Definition> configured, UsedBy used_by)
      : desk_(desk), configured_(std::move(configured)), used_by_(std::move(used_by)) {}
  void visit(std::string_view key, std::optional<ByteView> value);
  [[nodiscard]] const Definition* configured(Kind kind, std::string_view name) const;

  ReferenceDesk& desk_;
  const std::vector<Definition> configured_;
  const UsedBy used_by_;
  std::shared_ptr<topics::TableTopic> table_;
  std::map<Key, Definition> stored_;
};

}  // namespace millrace::references
