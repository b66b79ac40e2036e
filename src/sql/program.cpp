// Program's second half: running the nodes. Recursion is as deep as the expression, which the parser bounds.
#include "sql/program.h"

#include <algorithm>
#include <array>

#include "sql/operators.h"

namespace millrace::sql {

Value Program::run(Evaluation& evaluation, const Node& node) const {
  switch (node.op) {
    case Op::constant:
      return node.constant;
    case Op::slot:
      return evaluation.slot(node.slot);
    case Op::payload_json:
      return evaluation.payload_is_json() ? Value::of(evaluation.document(), JsonDocument::kRoot) : Value();
    case Op::payload_bytes:
      return Value::string(evaluation.payload());
    case Op::member: {
      Value value = run(evaluation, nodes_[node.children[0]]);
      for (const std::string& name : node.names) value = value.member(name);
      return value;
    }
    case Op::call:
      return run_call(evaluation, node);
    case Op::negate:
      return arithmetic(evaluation, Operator::subtract, Value::integer(0), run(evaluation, nodes_[node.children[0]]),
                        false);
    case Op::logical_not: {
      const auto truth = to_boolean(evaluation, run(evaluation, nodes_[node.children[0]]));
      return truth ? Value::boolean(!*truth) : Value();
    }
    case Op::logical_and:
    case Op::logical_or:
      return run_logical(evaluation, node);
    case Op::chain:
      return run_chain(evaluation, node);
    case Op::array:
    case Op::object:
      return run_built(evaluation, node);
    case Op::when:
      return run_when(evaluation, node);
  }
  return {};
}

Value Program::run_call(Evaluation& evaluation, const Node& node) const {
  constexpr std::size_t kFew = 4;
  std::array<Value, kFew> few;
  const std::size_t count = node.children.size();
  Value* arguments = count <= kFew ? few.data() : evaluation.arena().array<Value>(count);
  for (std::size_t i = 0; i < count; ++i) arguments[i] = run(evaluation, nodes_[node.children[i]]);
  return node.function->call(evaluation, Call{{arguments, count}, node.prepared.get()});
}

Value Program::run_chain(Evaluation& evaluation, const Node& node) const {
  Value value = run(evaluation, nodes_[node.children[0]]);
  for (std::size_t i = 0; i < node.operators.size(); ++i) {
    const Value right = run(evaluation, nodes_[node.children[i + 1]]);
    const Operator op = node.operators[i];
    value = op >= Operator::add ? arithmetic(evaluation, op, value, right, options_.integer_division)
                                : compare(evaluation, op, value, right);
  }
  return value;
}

/// Three-valued: what decides the result (false for AND, true for OR) wins over Undefined, otherwise Undefined stays.
Value Program::run_logical(Evaluation& evaluation, const Node& node) const {
  const bool deciding = node.op == Op::logical_or;
  bool undefined = false;
  for (const NodeIndex child : node.children) {
    const auto truth = to_boolean(evaluation, run(evaluation, nodes_[child]));
    if (!truth) {
      undefined = true;
    } else if (*truth == deciding) {
      return Value::boolean(deciding);
    }
  }
  return undefined ? Value() : Value::boolean(!deciding);
}

Value Program::run_built(Evaluation& evaluation, const Node& node) const {
  const std::size_t count = node.children.size();
  if (node.op == Op::array) {
    Value* items = evaluation.arena().array<Value>(count);
    for (std::size_t i = 0; i < count; ++i) items[i] = run(evaluation, nodes_[node.children[i]]);
    return Value::array(items, count);
  }
  Member* members = evaluation.arena().array<Member>(count);
  for (std::size_t i = 0; i < count; ++i) members[i] = Member{node.names[i], run(evaluation, nodes_[node.children[i]])};
  return Value::object(members, count);
}

Value Program::run_when(Evaluation& evaluation, const Node& node) const {
  const Value subject = run(evaluation, nodes_[node.children[0]]);
  if (subject.is_undefined()) return {};
  std::size_t at = 1;
  const std::size_t tests = node.children.size() - (node.has_else ? 1 : 0);
  for (; at + 1 < tests; at += 2) {
    const Value test = run(evaluation, nodes_[node.children[at]]);
    if (!test.is_undefined() && equal_values(evaluation, subject, test)) {
      return run(evaluation, nodes_[node.children[at + 1]]);
    }
  }
  return node.has_else ? run(evaluation, nodes_[node.children.back()]) : Value();
}

}  // namespace millrace::sql
