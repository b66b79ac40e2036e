// The syntax tree of a rule statement, as written: names not yet resolved, functions not yet looked up. Depth is
// bounded by the parser (kMaxDepth); chains of one precedence (a + b - c, x AND y AND z) are one node, so their length
// costs no depth.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/version.h"

namespace millrace::sql {

enum class Operator : std::uint8_t {
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  add,
  subtract,
  multiply,
  divide,
  modulo
};

struct SelectStatement;

struct Expression {
  enum class Kind : std::uint8_t {
    null,
    boolean,
    number,
    string,    // literals; text holds number and string
    star,      // the whole payload
    path,      // names: a.b.c of the payload
    variable,  // names: @a.b.c, the first without its @
    member,    // names of arguments[0]
    call,      // text(arguments)
    test,      // an extension's operator, IN, LIKE, BETWEEN or IS NULL: text over the arguments
    negate,
    logical_not,  // arguments[0]
    logical_and,
    logical_or,  // all arguments
    chain,       // arguments[0] operators[0] arguments[1] operators[1] ...
    array,       // arguments
    object,      // names[i]: arguments[i]
    when,        // CASE arguments[0] WHEN [1] THEN [2] ... ELSE last when truth
    search,      // CASE WHEN arguments[0] THEN [1] ... ELSE last when truth
    select,      // nested
  };
  Kind kind = Kind::null;
  std::uint32_t at = 0;  // byte of the statement
  bool truth = false;    // boolean literal; when: has ELSE
  std::string text;
  std::vector<std::string> names;
  std::vector<Operator> operators;
  std::vector<Expression> arguments;
  std::shared_ptr<const SelectStatement> nested;
};

struct SelectItem {
  Expression value;
  std::vector<std::string> alias;  // AS a.b; empty: named after the expression
  std::uint32_t at = 0;
};

/// SET @name = value
struct Assignment {
  std::string name;  // without its @
  Expression value;
  std::uint32_t at = 0;
};

/// FOREACH array AS name DO items INCASE condition: one output per element.
struct Expansion {
  Expression array;
  std::string name = "item";
  std::optional<Expression> condition;
};

struct SelectStatement {
  std::vector<Assignment> variables;
  bool value_only = false;  // SELECT VALUE
  std::vector<SelectItem> items;
  std::optional<Expansion> expansion;
  std::vector<std::string> filters;  // FROM of a rule
  std::optional<Expression> source;  // FROM of a nested SELECT
  std::optional<Expression> where;
};

/// Parentheses, calls, signs and brackets nested deeper are refused.
inline constexpr int kMaxDepth = 64;
/// AWS allows rules of 256 KiB.
inline constexpr std::size_t kMaxStatementBytes = std::size_t{256} << 10U;

/// Error: invalid_argument; detail is "line 1, column 8: found ',', expected an expression" with the line and a caret
/// below.
Result<SelectStatement> parse_statement(std::string_view text, Dialect dialect = Dialect::extended);
/// One expression alone, as in ${...}.
Result<Expression> parse_expression(std::string_view text, Dialect dialect = Dialect::extended);

/// "line L, column C: what" and, below it, the line of `text` with a caret under byte `at`.
std::string describe_position(std::string_view text, std::uint32_t at, std::string_view what);

}  // namespace millrace::sql
