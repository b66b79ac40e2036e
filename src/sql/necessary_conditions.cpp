#include "sql/necessary_conditions.h"

#include <bit>
#include <functional>

#include "sql/operators.h"

namespace millrace::sql {

namespace {

/// a op b as b op a.
Operator flipped(Operator op) {
  switch (op) {
    case Operator::less:
      return Operator::greater;
    case Operator::less_equal:
      return Operator::greater_equal;
    case Operator::greater:
      return Operator::less;
    case Operator::greater_equal:
      return Operator::less_equal;
    default:
      return op;
  }
}

std::uint64_t mixed(std::uint64_t bits) {
  bits ^= bits >> 32U;
  bits *= 0x9E3779B97F4A7C15ULL;
  return bits ^ (bits >> 29U);
}

}  // namespace

std::vector<NecessaryConditions::Condition> NecessaryConditions::of(const Program& program, Program::NodeIndex where) {
  std::vector<Condition> out;
  add(program, program.nodes_[where], out);
  return out;
}

void NecessaryConditions::add(const Program& program, const Program::Node& node, std::vector<Condition>& out) {
  using Op = Program::Op;
  if (node.op == Op::logical_and) {
    for (std::uint32_t i = 0; i < node.count; ++i) add(program, program.child(node, i), out);
    return;
  }
  if (node.op != Op::chain || node.count != 2) return;
  Operator op = program.operators_[node.at];
  if (op == Operator::not_equal || op >= Operator::add) return;
  const Program::Node* member = &program.child(node, 0);
  const Program::Node* constant = &program.child(node, 1);
  if (member->op == Op::constant) {
    std::swap(member, constant);
    op = flipped(op);
  }
  if (member->op != Op::slot || constant->op != Op::constant) return;
  out.push_back({{member->first, program.members_[member->at]}, op, program.constants_[constant->at]});
}

std::optional<std::uint64_t> equality_key(Evaluation& evaluation, const Value& value) {
  const auto type = static_cast<std::uint64_t>(value.type());
  switch (value.type()) {
    case Value::Type::null:
      return mixed(type << 56U);
    case Value::Type::boolean:
      return mixed((type << 56U) + (value.as_boolean() ? 1 : 0));
    case Value::Type::string:
      return mixed(std::hash<std::string_view>{}(value.characters(evaluation.arena())) + (type << 56U));
    case Value::Type::number: {
      const auto key = order_key(evaluation, value);
      // Zero has two signs and is one number.
      return key ? std::optional(mixed(std::bit_cast<std::uint64_t>(*key == 0 ? 0.0 : *key))) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> order_key(const Evaluation& evaluation, const Value& value) {
  const auto number = to_number(evaluation, value);
  if (!number) return std::nullopt;
  return number->small ? static_cast<double>(number->integer) : number->decimal.to_double();
}

}  // namespace millrace::sql
