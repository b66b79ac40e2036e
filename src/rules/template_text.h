// TemplateText: text with substitution templates, `message-${type}`. Each ${...} is an expression of the rule language,
// evaluated on the original payload: names given by AS in SELECT are not visible. Immutable; shared by all threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/evaluation.h"
#include "sql/paths.h"
#include "sql/program.h"

namespace millrace::rules {

class TemplateText {
 public:
  /// Error: invalid_argument with the position inside the template.
  static Result<TemplateText> compile(std::string_view text, const sql::Options& options, sql::Paths& paths);

  /// The text with every expression's value in place; valid until the evaluation's next message. nullopt when one is
  /// Undefined or Null: such a text must not name anything.
  [[nodiscard]] std::optional<std::string_view> resolve(sql::Evaluation& evaluation) const;
  /// The first expression that does not resolve, as written ("${type}"), for error messages.
  [[nodiscard]] std::string_view unresolved(sql::Evaluation& evaluation) const;

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] bool is_plain() const { return plain_; }
  [[nodiscard]] bool reads_members() const { return program_.reads_members(); }

 private:
  struct Part {
    std::string text;  // plain text, or the expression as written
    bool expression = false;
    sql::Program::NodeIndex node = 0;
  };
  explicit TemplateText(const sql::Options& options) : program_(options) {}

  std::string source_;
  std::vector<Part> parts_;
  sql::Program program_;
  bool plain_ = true;
};

}  // namespace millrace::rules
