// Statement: one rule's SQL, compiled: filters, variables, WHERE, and a projection that writes the output text. Its
// expressions live in the rule's Program, beside those of the rule's templates.
//
// `SELECT *, expr AS x` copies the payload's own text and splices the new members in; a new member whose name the
// payload already has takes that member's place. Numbers and strings that are not touched leave as they came, digit for
// digit. Undefined items are left out, and leave a payload member of their name alone. Immutable; shared by all
// threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/ast.h"
#include "sql/evaluation.h"
#include "sql/program.h"

namespace millrace::sql {

class Statement {
 public:
  /// Adds its expressions to `program`, to which it stays bound: @variables and the name FOREACH gives are known to
  /// what is compiled there later. Error: invalid_argument or too_large, with line, column and a caret.
  static Result<Statement> compile(std::string_view text, Program& program);

  /// The topic filters behind FROM, not yet checked as filters.
  [[nodiscard]] const std::vector<std::string>& filters() const { return filters_; }
  /// True when the payload must be JSON for this statement to make sense; false for SELECT * and friends.
  [[nodiscard]] bool needs_json() const { return needs_json_; }
  [[nodiscard]] std::optional<Program::NodeIndex> where() const { return where_; }

  /// Starts this rule on the evaluation's message: fuel, variables.
  void begin(const Program& program, Evaluation& evaluation) const;
  /// True when there is no WHERE or it is true; anything else, Undefined too, is false.
  [[nodiscard]] bool passes(const Program& program, Evaluation& evaluation) const {
    return !where_ || program.evaluate(evaluation, *where_).is_true();
  }
  /// FOREACH: many outputs. Of expand()'s array each element is tried with includes(), then select() makes its output.
  [[nodiscard]] bool expands() const { return rare_ && rare_->expansion; }
  [[nodiscard]] Value expand(const Program& program, Evaluation& evaluation) const {
    return program.evaluate(evaluation, rare_->expansion->array);
  }
  [[nodiscard]] bool includes(const Program& program, Evaluation& evaluation, const Value& element) const {
    evaluation.element(0) = element;
    const auto& condition = rare_->expansion->condition;
    return !condition || program.evaluate(evaluation, *condition).is_true();
  }
  /// The output text, valid until the evaluation's next message. nullopt: members were to be added to a payload that is
  /// no JSON object. When it is longer than kMaxResult the evaluation's fuel is gone.
  [[nodiscard]] std::optional<std::string_view> select(const Program& program, Evaluation& evaluation) const;

 private:
  enum class Shape : std::uint8_t {
    payload,  // SELECT *
    value,    // SELECT VALUE expr
    object,   // named items only
    merge,    // * and named items
    tree,     // dotted names
  };
  /// Small, as there may be millions: a plain name stands in key_text alone.
  struct Item {
    Program::NodeIndex node = 0;
    std::uint32_t parts = 1;                    // AS a.b has two
    std::string_view key_text;                  // "name": as JSON, of the first part
    std::unique_ptr<std::string_view[]> names;  // when there are several, or the one is escaped in key_text

    [[nodiscard]] std::string_view front() const { return names ? names[0] : key_text.substr(1, key_text.size() - 3); }
    [[nodiscard]] bool is_named_as(const Item& other) const;
  };
  struct Expanded {
    Program::NodeIndex array = 0;
    std::optional<Program::NodeIndex> condition;
  };
  Statement() = default;
  Result<void> add_items(const SelectStatement& parsed, std::string_view text, Program& program);
  Result<void> add_item(const SelectItem& item, std::string_view text, Program& program);
  static void write(TextWriter& out, Evaluation& evaluation, const Value& value);
  [[nodiscard]] std::string_view finish(TextWriter& out, Evaluation& evaluation) const;
  [[nodiscard]] std::string_view select_object(const Program& program, Evaluation& evaluation) const;
  [[nodiscard]] std::optional<std::string_view> select_merged(const Program& program, Evaluation& evaluation) const;
  [[nodiscard]] std::optional<std::string_view> select_tree(const Program& program, Evaluation& evaluation) const;

  std::vector<std::string> filters_;
  /// What simple rules have none of; null then.
  struct Rare {
    std::vector<Program::NodeIndex> variables;
    std::optional<Expanded> expansion;
  };
  std::unique_ptr<Rare> rare_;
  std::optional<Program::NodeIndex> where_;
  Shape shape_ = Shape::object;
  bool merges_ = false;
  bool needs_json_ = false;
  std::vector<Item> items_;
};

}  // namespace millrace::sql
