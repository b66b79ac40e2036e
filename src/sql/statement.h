// Statement: one rule's SQL, compiled: filter, WHERE, and a projection that writes the output text.
//
// `SELECT *, expr AS x` copies the payload's own text and splices the new members in; a new member whose name the
// payload already has takes that member's place. Numbers and strings that are not touched leave as they came, digit for
// digit. Undefined items are left out, and leave a payload member of their name alone. Immutable; shared by all
// threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/ast.h"
#include "sql/evaluation.h"
#include "sql/paths.h"
#include "sql/program.h"

namespace millrace::sql {

class Statement {
 public:
  /// Paths are interned in `paths`, which must be the one every Evaluation of this statement begins with. Error:
  /// invalid_argument or too_large, with line, column and a caret.
  static Result<Statement> compile(std::string_view text, const Options& options, Paths& paths);

  /// The topic filter behind FROM, not yet checked as a filter.
  [[nodiscard]] const std::optional<std::string>& filter() const { return filter_; }
  /// True when the payload must be JSON for this statement to make sense; false for SELECT * and friends.
  [[nodiscard]] bool needs_json() const { return program_.reads_members() || merges_; }
  [[nodiscard]] bool has_where() const { return where_.has_value(); }
  /// True when there is no WHERE or it is true; anything else, Undefined too, is false.
  [[nodiscard]] bool passes(Evaluation& evaluation) const {
    return !where_ || program_.evaluate(evaluation, *where_).is_true();
  }
  /// The output text, valid until the evaluation's next message. nullopt: members were to be added to a payload that is
  /// no JSON object.
  [[nodiscard]] std::optional<std::string_view> select(Evaluation& evaluation) const;

 private:
  enum class Shape : std::uint8_t {
    payload,  // SELECT *
    value,    // SELECT VALUE expr
    object,   // named items only
    merge,    // * and named items
    tree,     // dotted names
  };
  struct Item {
    Program::NodeIndex node = 0;
    std::vector<std::string> name;
    std::string key_text;  // "name": as JSON
  };
  explicit Statement(const Options& options) : program_(options) {}
  Result<void> add_item(const SelectItem& item, std::string_view text, Paths& paths);
  [[nodiscard]] std::string_view select_object(Evaluation& evaluation) const;
  [[nodiscard]] std::optional<std::string_view> select_merged(Evaluation& evaluation) const;
  [[nodiscard]] std::optional<std::string_view> select_tree(Evaluation& evaluation) const;

  Program program_;
  std::optional<std::string> filter_;
  std::optional<Program::NodeIndex> where_;
  Shape shape_ = Shape::object;
  bool merges_ = false;
  std::vector<Item> items_;
};

}  // namespace millrace::sql
