// Program's first half: from the syntax tree to nodes with slots, functions and constants.
#include <fmt/format.h>

#include <array>

#include "sql/program.h"

namespace millrace::sql {

namespace {

std::unexpected<Error> refuse(std::string_view text, std::uint32_t at, std::string_view what) {
  return fail(ErrorCode::invalid_argument, "SQL", describe_position(text, at, what));
}

std::string describe_arity(const Function& function) {
  if (function.max_arguments == kAnyArguments) return fmt::format("at least {}", function.min_arguments);
  if (function.min_arguments == function.max_arguments) return fmt::format("{}", function.min_arguments);
  return fmt::format("{} to {}", function.min_arguments, function.max_arguments);
}

/// A literal may be written with leading zeros, JSON may not: 05 is handed on as 5, -00.50 as -0.50.
std::string without_leading_zeros(std::string_view number) {
  const std::size_t sign = number.front() == '-' ? 1 : 0;
  std::size_t zeros = 0;
  const auto is_digit = [&](std::size_t i) { return i < number.size() && number[i] >= '0' && number[i] <= '9'; };
  while (number[sign + zeros] == '0' && is_digit(sign + zeros + 1)) ++zeros;
  return std::string(number.substr(0, sign)).append(number.substr(sign + zeros));
}

}  // namespace

Result<Program::NodeIndex> Program::compile(const Expression& expression, std::string_view text, Paths& paths) {
  Source source{text, paths};
  MR_TRY_ASSIGN(Node node, translate(expression, source, false));
  nodes_.push_back(std::move(node));
  return static_cast<NodeIndex>(nodes_.size() - 1);
}

Result<Value> Program::constant_number(const Expression& expression, const Source& source) {
  const auto number = Decimal::parse(expression.text);
  if (!number) return refuse(source.text, expression.at, fmt::format("the number {} is too large", expression.text));
  return Value::number_source(keep(without_leading_zeros(expression.text)));
}

Result<Program::Node> Program::translate_call(const Expression& expression, Source& source) {
  const Function* function = find_function(expression.text);
  if (function == nullptr) {
    if (const std::string_view reason = missing_function(expression.text); !reason.empty()) {
      return refuse(source.text, expression.at, fmt::format("the function {} {}", expression.text, reason));
    }
    const std::string_view near = nearest_function(expression.text);
    return refuse(source.text, expression.at,
                  near.empty() ? fmt::format("there is no function {}", expression.text)
                               : fmt::format("there is no function {}; did you mean {}?", expression.text, near));
  }
  if (function->since > options_.version) {
    return refuse(source.text, expression.at, fmt::format("{} needs awsIotSqlVersion 2016-03-23", expression.text));
  }
  const std::size_t count = expression.arguments.size();
  if (count < function->min_arguments ||
      (function->max_arguments != kAnyArguments && count > function->max_arguments)) {
    return refuse(source.text, expression.at,
                  fmt::format("{} takes {} argument{}, found {}", expression.text, describe_arity(*function),
                              function->max_arguments == 1 ? "" : "s", count));
  }
  Node node;
  node.op = Op::call;
  node.function = function;
  std::vector<std::optional<Value>> constants;
  for (const Expression& argument : expression.arguments) {
    MR_TRY_ASSIGN(Node child, translate(argument, source, function->raw_payload));
    constants.push_back(child.op == Op::constant ? std::optional(child.constant) : std::nullopt);
    nodes_.push_back(std::move(child));
    node.children.push_back(static_cast<NodeIndex>(nodes_.size() - 1));
  }
  if (function->prepare != nullptr) {
    std::string problem;
    node.prepared = function->prepare(constants, problem);
    if (!problem.empty()) return refuse(source.text, expression.at, problem);
  }
  return node;
}

Result<Program::Node> Program::translate(const Expression& expression, Source& source, bool raw_payload) {
  Node node;
  switch (expression.kind) {
    case Expression::Kind::null:
      node.constant = Value::null();
      return node;
    case Expression::Kind::boolean:
      node.constant = Value::boolean(expression.truth);
      return node;
    case Expression::Kind::string:
      node.constant = Value::string(keep(expression.text));
      return node;
    case Expression::Kind::number: {
      MR_TRY_ASSIGN(node.constant, constant_number(expression, source));
      return node;
    }
    case Expression::Kind::star:
      node.op = raw_payload ? Op::payload_bytes : Op::payload_json;
      reads_members_ = reads_members_ || !raw_payload;
      return node;
    case Expression::Kind::path:
      node.op = Op::slot;
      node.slot = source.paths.intern(expression.names);
      reads_members_ = true;
      return node;
    case Expression::Kind::call:
      return translate_call(expression, source);
    case Expression::Kind::member:
      node.op = Op::member;
      break;
    case Expression::Kind::negate:
      node.op = Op::negate;
      break;
    case Expression::Kind::logical_not:
      node.op = Op::logical_not;
      break;
    case Expression::Kind::logical_and:
      node.op = Op::logical_and;
      break;
    case Expression::Kind::logical_or:
      node.op = Op::logical_or;
      break;
    case Expression::Kind::chain:
      node.op = Op::chain;
      break;
    case Expression::Kind::array:
      node.op = Op::array;
      break;
    case Expression::Kind::object:
      node.op = Op::object;
      break;
    case Expression::Kind::when:
      node.op = Op::when;
      break;
  }
  if ((node.op == Op::array || node.op == Op::object) && options_.version == Version::v2015_10_08) {
    return refuse(source.text, expression.at, "array and object literals need awsIotSqlVersion 2016-03-23");
  }
  node.has_else = expression.truth;
  node.names = expression.names;
  node.operators = expression.operators;
  for (const Expression& argument : expression.arguments) {
    MR_TRY_ASSIGN(Node child, translate(argument, source, false));
    nodes_.push_back(std::move(child));
    node.children.push_back(static_cast<NodeIndex>(nodes_.size() - 1));
  }
  return node;
}

}  // namespace millrace::sql
