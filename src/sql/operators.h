// The operators of the rule language over Values, with AWS's coercions; Undefined for operands they do not take.
#pragma once

#include <optional>

#include "sql/ast.h"
#include "sql/evaluation.h"
#include "sql/value.h"

namespace millrace::sql {

/// A number taken out of a Value: an int64 where possible.
struct Number {
  bool small = false;
  bool integral = false;  // AWS's Int
  std::int64_t integer = 0;
  Decimal decimal;  // when not small

  [[nodiscard]] Decimal as_decimal() const { return small ? Decimal(integer) : decimal; }
};

/// Numbers, and strings of the form -?d+(.d+)?(E-?d+)?. Nothing else converts.
std::optional<Number> to_number(const Evaluation& evaluation, const Value& value);
/// Result of arithmetic; under 2016-03-23 a whole Decimal becomes an Int.
Value number_value(Evaluation& evaluation, const std::optional<Decimal>& decimal, bool integral = false);
/// Booleans and the strings true and false in any case.
std::optional<bool> to_boolean(Evaluation& evaluation, const Value& value);

Value arithmetic(Evaluation& evaluation, Operator op, const Value& a, const Value& b, bool integer_division);
/// = <> < <= > >=
Value compare(Evaluation& evaluation, Operator op, const Value& a, const Value& b);
/// Deep and type-strict: 1 = 1.0, "1" <> 1, arrays ordered, objects not. Neither side is Undefined.
bool equal_values(Evaluation& evaluation, const Value& a, const Value& b);

}  // namespace millrace::sql
