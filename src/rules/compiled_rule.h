// CompiledRule: a rule ready to run: statement and action templates. Immutable; shared by all loops.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/predicate_index.h"
#include "rules/rule_set.h"
#include "rules/template_text.h"
#include "rules/topic_filter.h"
#include "sql/statement.h"

namespace millrace::rules {

struct CompiledAction {
  explicit CompiledAction(TemplateText topic_in) : topic(std::move(topic_in)) {}
  ActionDefinition::Kind kind = ActionDefinition::Kind::kafka;
  TemplateText topic;
  bool reserved_topic = false;  // republish to $$...: the author's own word for a topic that starts with $
  std::optional<TemplateText> key;
  std::optional<TemplateText> partition;
  struct Header {
    TemplateText key;
    TemplateText value;
  };
  std::vector<Header> headers;
  int qos = 0;
  bool retain = false;
};

class CompiledRule {
 public:
  /// Error: invalid_argument naming the rule and the place in it.
  static Result<CompiledRule> compile(const RuleDefinition& definition, sql::Paths& paths);

  sql::Program program;  // every expression below
  sql::Statement statement;
  std::vector<CompiledAction> actions;
  std::optional<CompiledAction> error_action;

 private:
  CompiledRule(sql::Program program_in, sql::Statement statement_in)
      : program(std::move(program_in)), statement(std::move(statement_in)) {}
};

/// What RuleSet holds behind its pointer.
struct RuleSet::Impl {
  /// The enabled rules of one topic filter.
  struct Group {
    std::vector<std::uint32_t> rules;     // ascending
    std::optional<PredicateIndex> index;  // when there are many
  };
  static constexpr std::size_t kIndexFrom = 8;

  void add_to_groups(std::uint32_t rule);
  void index_groups();

  std::shared_ptr<sql::Paths> paths = std::make_shared<sql::Paths>();  // of all rules; shared with earlier sets
  std::vector<std::unique_ptr<Rule>> rules;
  std::uint64_t version = 0;
  TopicFilterIndex filters;  // values are indices into groups
  std::vector<Group> groups;
  std::unordered_map<std::string_view, std::uint32_t> group_of_filter;  // while compiling
  std::unordered_map<std::string_view, std::uint32_t> by_name;          // enabled rules, for Basic Ingest
};

}  // namespace millrace::rules
