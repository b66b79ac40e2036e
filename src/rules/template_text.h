// TemplateText: text with substitution templates, `message-${type}`. Each ${...} is an expression of the rule language,
// evaluated on the original payload: names given by AS in SELECT are not visible, SET variables and what FOREACH stands
// at are. Expressions live in the rule's Program. Immutable; shared by all threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "sql/evaluation.h"
#include "sql/program.h"

namespace millrace::rules {

class TemplateText {
 public:
  /// Error: invalid_argument with the position inside the template.
  static Result<TemplateText> compile(std::string_view text, sql::Program& program);

  /// The text with every expression's value in place; valid until the evaluation's next message. nullopt when one is
  /// Undefined or Null: such a text must not name anything. (Options::empty_templates makes it the empty text.)
  [[nodiscard]] std::optional<std::string_view> resolve(const sql::Program& program, sql::Evaluation& evaluation) const;
  /// The first expression that does not resolve, as written ("${type}"), for error messages.
  [[nodiscard]] std::string_view unresolved(const sql::Program& program, sql::Evaluation& evaluation) const;

  [[nodiscard]] std::string_view source() const { return source_; }
  [[nodiscard]] bool is_plain() const { return count_ == 0; }

 private:
  struct Part {
    std::string_view text;  // plain text, or the expression as written
    bool expression = false;
    sql::Program::NodeIndex node = 0;
  };

  static std::optional<std::string_view> text_of(const Part& part, const sql::Program& program,
                                                 sql::Evaluation& evaluation);
  [[nodiscard]] std::span<const Part> parts() const { return {parts_.get(), count_}; }

  std::string_view source_;  // kept by the program's Paths
  std::unique_ptr<Part[]> parts_;
  std::uint32_t count_ = 0;  // 0: plain
};

}  // namespace millrace::rules
