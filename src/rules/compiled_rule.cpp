#include "rules/compiled_rule.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/action_compiler.h"
#include "rules/topic_filter.h"

namespace millrace::rules {

namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxActions = 10;

bool is_rule_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Result<CompiledRule> CompiledRule::compile(const RuleDefinition& definition, sql::Paths& paths) {
  if (!is_rule_name(definition.name)) {
    return at_key(definition, "name", "a rule name is 1 to 128 letters, digits and underscores");
  }
  sql::Options options;
  if (definition.sql_version == "2015-10-08") {
    options.version = sql::Version::v2015_10_08;
  } else if (definition.sql_version != "2016-03-23") {
    return at_key(definition, "awsIotSqlVersion",
                  fmt::format("'{}' is not known; 2016-03-23 and 2015-10-08 are", definition.sql_version));
  }
  if (definition.strict) options.dialect = sql::Dialect::strict;
  options.empty_templates = definition.empty_templates;
  sql::Program program(options, paths);
  auto statement = sql::Statement::compile(definition.sql, program);
  if (!statement) return at_key(definition, "sql", statement.error().detail);
  for (const std::string& filter : statement->filters()) {
    if (const auto valid = check_topic_filter(filter); !valid) {
      return at_key(definition, "sql", fmt::format("FROM '{}': {}", filter, valid.error().detail));
    }
  }
  if (definition.actions.empty()) return at_key(definition, "actions", "a rule has at least one action");
  if (definition.actions.size() > kMaxActions) return at_key(definition, "actions", "a rule has at most 10 actions");
  CompiledRule out(std::move(program), std::move(*statement));
  ActionCompiler compiler(definition, out.program);
  out.actions.reserve(definition.actions.size());
  for (std::size_t i = 0; i < definition.actions.size(); ++i) {
    MR_TRY_ASSIGN(CompiledAction action, compiler.compile(definition.actions[i], fmt::format("actions[{}]", i)));
    out.actions.push_back(std::move(action));
  }
  if (definition.error_action) {
    const std::size_t before = out.program.references().size();
    MR_TRY_ASSIGN(CompiledAction action, compiler.compile(*definition.error_action, "errorAction"));
    if (out.program.references().size() != before) {
      return at_key(definition, "errorAction", "templates of an errorAction can ask nothing outside of the message");
    }
    out.error_action = std::make_unique<CompiledAction>(std::move(action));
  }
  out.program.seal();
  return out;
}

}  // namespace millrace::rules
