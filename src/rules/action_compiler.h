// ActionCompiler: the actions of a rule, checked and made ready to run. Private to CompiledRule.
#pragma once

#include <string>

#include "rules/compiled_rule.h"

namespace millrace::rules {

/// Names the rule and the key in front of what is wrong with it.
std::unexpected<Error> at_key(const RuleDefinition& rule, std::string_view key, std::string_view what);

class ActionCompiler {
 public:
  ActionCompiler(const RuleDefinition& rule, sql::Program& program) : rule_(rule), program_(program) {}

  /// Error: invalid_argument naming the rule and the place in it. `where`: "actions[0]".
  Result<CompiledAction> compile(const ActionDefinition& action, const std::string& where);

 private:
  Result<TemplateText> text(const std::string& source, const std::string& where);
  /// Nothing when `source` is empty.
  Result<void> given(const std::string& source, const std::string& where, std::optional<TemplateText>& out);
  Result<CompiledAction> kafka(const KafkaAction& action, const std::string& where);
  Result<CompiledAction> republish(const RepublishAction& action, const std::string& where);
  Result<CompiledAction> http(const HttpAction& action, const std::string& where);
  Result<CompiledAction> file(const FileAction& action, const std::string& where);
  Result<void> properties(const RepublishHeaders& headers, const std::string& where, CompiledAction& out);

  const RuleDefinition& rule_;
  sql::Program& program_;
};

}  // namespace millrace::rules
