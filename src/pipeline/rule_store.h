// RuleStore: the rules that are data, in the compacted topic __rules, beside those of the configuration. A change is
// checked, made durable, and then put in force whole: no message is judged by half of a set.
//
//   key NAME     {"version":3,"createdAt":1700000000000, ... the rule in AWS's shape}
//   key NAME@2   the rule as it was before; the last kKeptVersions are kept
//
// Thread: the loop given to open(), for every call and callback.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "pipeline/rule_set_slot.h"
#include "rules/rule_set.h"
#include "topics/table_topic.h"

namespace millrace::pipeline {

inline constexpr std::string_view kRuleTopic = "__rules";

class RuleStore : public std::enable_shared_from_this<RuleStore> {
 public:
  static constexpr std::uint32_t kKeptVersions = 10;
  static constexpr std::size_t kMostRules = 1'000'000;

  struct Stored {
    rules::RuleDefinition rule;
    std::uint32_t version = 1;    // 0: stands in the configuration
    std::int64_t created_at = 0;  // milliseconds since 1970, of this version
  };
  using Opened = std::move_only_function<void(Result<std::shared_ptr<RuleStore>>)>;
  using Done = std::move_only_function<void(Result<void>)>;
  /// Turns a stored rule into what runs (a default errorAction, the strict dialect of the whole server). An error
  /// refuses it: this server cannot do what it asks for.
  using Finish = std::function<Result<void>(rules::RuleDefinition&)>;

  /// Reads the table and puts its rules in force beside `configured`. Everything named must outlive the store. A stored
  /// rule that cannot be compiled any more stays stored, does not run, and is told in the log.
  static void open(topics::TopicLog& log, const Clock& clock, Executor& loop, RuleSetSlot& slot,
                   std::vector<rules::RuleDefinition> configured, Finish finish, Opened opened);

  /// What a rule is checked for beyond itself when it is created or replaced.
  using Check = std::function<Result<void>(const rules::Rule&)>;
  void hold_to(Check check) { check_ = std::move(check); }

  /// `done` when it is durable and in force. Errors: already_exists, invalid_argument (with the position in the
  /// statement; or the name belongs to the configuration), too_large.
  void create(rules::RuleDefinition rule, Done done);
  /// Errors: not_found, and those of create. So for the next two.
  void replace(rules::RuleDefinition rule, Done done);
  void set_disabled(const std::string& name, bool disabled, Done done);
  void remove(const std::string& name, Done done);

  /// Stored or of the configuration; nullptr when there is none.
  [[nodiscard]] const Stored* find(std::string_view name) const;
  /// Both kinds, by name.
  [[nodiscard]] std::vector<const Stored*> all() const;
  /// What the rule in force by that name, a disabled one too, has counted; nullopt when none is.
  [[nodiscard]] std::optional<rules::RuleTally> tally(std::string_view name) const;
  /// Earlier versions, the oldest first.
  [[nodiscard]] std::vector<Stored> versions(std::string_view name) const;

 private:
  using Rules = std::map<std::string, Stored, std::less<>>;

  RuleStore(const Clock& clock, Executor& loop, RuleSetSlot& slot, std::vector<rules::RuleDefinition> configured,
            Finish finish);
  void visit(std::string_view key, std::optional<ByteView> value);
  Result<void> check(const rules::RuleDefinition& rule) const;
  /// Errors: invalid_argument for a rule of the configuration, not_found.
  [[nodiscard]] Result<Rules::iterator> changeable(std::string_view name);
  void put(rules::RuleDefinition rule, std::uint32_t version, Done done);
  /// Puts in force what became durable, once for all changes of one commit, and then answers them.
  void settle(const std::string& name, Done done, Result<void> result);
  /// All rules, from nothing.
  void put_all_in_force();
  void put_in_force(const std::set<std::string>& changed);

  const Clock& clock_;
  Executor& loop_;
  RuleSetSlot& slot_;
  Rules configured_;
  const Finish finish_;
  Check check_;
  std::shared_ptr<topics::TableTopic> table_;
  Rules rules_;
  std::map<std::string, std::map<std::uint32_t, Stored>, std::less<>> earlier_;
  std::vector<std::pair<Done, Result<void>>> settled_;  // to be answered when the set is made
  std::set<std::string> changed_;                       // rules they are about
};

}  // namespace millrace::pipeline
