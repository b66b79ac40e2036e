// NecessaryConditions: comparisons of a payload member with a constant that must hold for a condition to be true. What
// they rule out needs no further look: a member that is not there makes its comparison Undefined, and so the whole AND
// not true. Everything else (OR, NOT, functions, CASE) is not taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sql/program.h"

namespace millrace::sql {

class NecessaryConditions {
 public:
  struct Condition {
    Paths::Slot slot;
    Operator op = Operator::equal;  // = < <= > >=, the member on the left
    Value constant;                 // lives as long as the program's Paths
  };
  /// `where` as Statement::where() gives it.
  static std::vector<Condition> of(const Program& program, Program::NodeIndex where);

 private:
  static void add(const Program& program, const Program::Node& node, std::vector<Condition>& out);
};

/// Equal values have equal keys, whatever their form (1 and 1.0); nullopt for arrays, objects and Undefined. Different
/// values may share one.
[[nodiscard]] std::optional<std::uint64_t> equality_key(Evaluation& evaluation, const Value& value);
/// A number for comparing: of two numbers the larger never has the smaller key. nullopt: comparing is never true.
[[nodiscard]] std::optional<double> order_key(const Evaluation& evaluation, const Value& value);

}  // namespace millrace::sql
