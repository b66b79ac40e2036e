// RuleSet: all rules as of a moment, compiled; immutable, shared by all loops as shared_ptr<const RuleSet>.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/node.h"

namespace millrace::rules {

/// AWS IoT's topic-rule action objects, in the shape they are written in.
struct KafkaAction {
  std::string topic;      // template
  std::string key;        // template; empty: null key
  std::string partition;  // template; empty: by key
  struct Header {
    std::string key;    // template
    std::string value;  // template
    bool operator==(const Header&) const = default;
  };
  std::vector<Header> headers;
  bool internal = false;  // made by millrace itself: may name one of its own topics ("__...")
  bool operator==(const KafkaAction&) const = default;
};
struct RepublishAction {
  std::string topic;  // template
  int qos = 0;
  bool retain = false;
  bool operator==(const RepublishAction&) const = default;
};
struct ActionDefinition {
  enum class Kind : std::uint8_t { kafka, republish };
  Kind kind = Kind::kafka;
  KafkaAction kafka;
  RepublishAction republish;
  bool operator==(const ActionDefinition&) const = default;
};
struct RuleDefinition {
  std::string name;  // ^[a-zA-Z0-9_]{1,128}$
  std::string sql;
  std::string description;
  std::string sql_version = "2016-03-23";
  bool disabled = false;
  bool strict = false;                    // refuses what AWS's language does not have
  std::vector<ActionDefinition> actions;  // 1 to 10
  std::optional<ActionDefinition> error_action;
  int line = 0;  // where it stood in the configuration
  bool operator==(const RuleDefinition&) const = default;
};

/// Reads AWS's object {sql, actions: [{kafka: {...}}, ...], errorAction, ruleDisabled, awsIotSqlVersion, description}.
/// Error: invalid_argument naming rule, key and line.
Result<RuleDefinition> parse_rule(std::string_view name, const config::Node& node);

/// The same object as JSON, without the name.
std::string to_json(const RuleDefinition& rule);

struct RuleCounters {
  std::atomic<std::uint64_t> matched{0};     // FROM and WHERE held
  std::atomic<std::uint64_t> not_passed{0};  // FROM matched, WHERE was tried and not true
  std::atomic<std::uint64_t> failed{0};      // payload or SQL could not be evaluated
  std::atomic<std::uint64_t> actions_ok{0};  // counted by whoever carries outputs out, when they are done
  std::atomic<std::uint64_t> actions_failed{0};
  std::atomic<std::uint64_t> error_actions{0};
};

class CompiledRule;  // private to rules

struct Rule {
  RuleDefinition definition;
  std::shared_ptr<const CompiledRule> compiled;
  std::shared_ptr<RuleCounters> counters;  // survives replacement of the rule
};

class RuleSet {
 public:
  /// Compiles all; the first error names rule, line, column, what was found and expected. Counters of same-named rules
  /// of `previous` are carried over, and rules that did not change are not compiled again.
  static Result<std::shared_ptr<const RuleSet>> compile(std::vector<RuleDefinition> definitions,
                                                        const RuleSet* previous = nullptr);
  ~RuleSet();
  [[nodiscard]] const std::vector<std::unique_ptr<Rule>>& rules() const;
  /// Unique per compiled set; caches compare it.
  [[nodiscard]] std::uint64_t version() const;

  struct Impl;
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  RuleSet();
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::rules
