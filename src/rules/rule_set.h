// RuleSet: all rules as of a moment, compiled; immutable, shared by all loops as shared_ptr<const RuleSet>. A set with
// a few rules changed shares everything else with the one it was made from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/node.h"
#include "rules/action.h"
#include "rules/rule_counters.h"
#include "sql/outside.h"

namespace millrace::rules {

struct RuleDefinition {
  std::string name;  // ^[a-zA-Z0-9_]{1,128}$
  std::string sql;
  std::string description;
  std::string sql_version = "2016-03-23";
  bool disabled = false;
  bool strict = false;                    // refuses what AWS's language does not have
  bool empty_templates = false;           // what does not resolve is the empty text, as at AWS
  std::vector<ActionDefinition> actions;  // 1 to 10
  std::optional<ActionDefinition> error_action;
  int line = 0;  // where it stood in the configuration
  bool operator==(const RuleDefinition&) const = default;
};

/// Reads AWS's object {sql, actions: [{kafka: {...}}, ...], errorAction, ruleDisabled, awsIotSqlVersion, description}.
/// Error: invalid_argument naming rule, key and line.
Result<RuleDefinition> parse_rule(std::string_view name, const config::Node& node);

/// The same object as JSON, without the name; `brief` leaves out what parse_rule takes for granted.
std::string to_json(const RuleDefinition& rule, bool brief = false);

class CompiledRule;  // private to rules

/// One rule of a set; immutable but for its counters, and shared by the sets it is in.
struct Rule {
  std::string name;
  std::string source;  // the definition, packed: there may be a million
  bool disabled = false;
  std::shared_ptr<const CompiledRule> compiled;
  std::shared_ptr<RuleCounters> counters;  // survives replacement of the rule

  /// As it was given, but for the line.
  [[nodiscard]] RuleDefinition definition() const;
  /// The tables, functions and descriptors it names. Views into the rule.
  [[nodiscard]] std::vector<sql::Reference> references() const;
};

class RuleSet {
 public:
  /// Compiles all; the first error names rule, line, column, what was found and expected. Counters of same-named rules
  /// of `previous` are carried over, and rules that did not change are not compiled again.
  static Result<std::shared_ptr<const RuleSet>> compile(std::vector<RuleDefinition> definitions,
                                                        const RuleSet* previous = nullptr);

  struct Change {
    std::string name;
    std::optional<RuleDefinition> rule;  // none: it goes
  };
  /// `before` with some rules changed, added or gone; costs by the number of changes, not of rules, but for every few
  /// thousandth. Errors: those of compile, and then nothing is changed.
  static Result<std::shared_ptr<const RuleSet>> apply(const RuleSet& before, std::vector<Change> changes);

  ~RuleSet();
  /// Every rule, disabled ones too. Costs by their number: for metrics and tests.
  [[nodiscard]] std::vector<const Rule*> rules() const;
  [[nodiscard]] std::size_t size() const;
  /// nullptr when no enabled rule has that name.
  [[nodiscard]] const Rule* find(std::string_view name) const;
  /// Of the rule by that name, a disabled one too; null when there is none.
  [[nodiscard]] std::shared_ptr<const RuleCounters> counters(std::string_view name) const;
  /// Of all rules together, with those that are gone since the first set: it never falls. Costs by their number.
  [[nodiscard]] RuleTally totals() const;
  /// Some rule asks beyond its message, and may have to wait.
  [[nodiscard]] bool asks() const;
  /// Some rule republishes.
  [[nodiscard]] bool republishes() const;
  /// Unique per compiled set; caches compare it.
  [[nodiscard]] std::uint64_t version() const;

  struct Impl;
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  RuleSet();
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::rules
