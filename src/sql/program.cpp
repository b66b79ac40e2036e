// Program's second half: running the nodes. Recursion is as deep as the expression, which the parser bounds. Every node
// costs fuel, and every value by its size: without fuel everything is Undefined.
#include "sql/program.h"

#include <algorithm>
#include <array>

#include "sql/operators.h"
#include "sql/output_tree.h"

namespace millrace::sql {

Value Program::run(Evaluation& evaluation, const Node& node) const {
  if (!evaluation.spend(1)) [[unlikely]]
    return {};
  switch (node.op) {
    case Op::constant:
      return constants_[node.at];
    case Op::slot:
      return evaluation.slot(node.first, *members_[node.at]);
    case Op::element:
      return evaluation.element(node.at);
    case Op::variable:
      return evaluation.variable(node.at);
    case Op::payload_json:
      return evaluation.payload_is_json() ? Value::of(evaluation.document(), JsonDocument::kRoot) : Value();
    case Op::payload_bytes:
      return Value::string(evaluation.payload());
    case Op::member: {
      Value value = run(evaluation, nodes_[node.first]);
      for (std::uint32_t i = 0; i < node.count; ++i) {
        if (!evaluation.spend(1 + value.members_to_search() / 8)) return {};
        value = value.member(rare_->names[node.at + i]);
      }
      return value;
    }
    case Op::call:
      return run_call(evaluation, node);
    case Op::negate:
      return arithmetic(evaluation, Operator::subtract, Value::integer(0), run(evaluation, child(node, 0)), false);
    case Op::logical_not: {
      const auto truth = to_boolean(evaluation, run(evaluation, child(node, 0)));
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
    case Op::search:
      return run_search(evaluation, node);
    case Op::select:
      return run_select(evaluation, node);
  }
  return {};
}

Value Program::run_call(Evaluation& evaluation, const Node& node) const {
  constexpr std::size_t kFew = 4;
  std::array<Value, kFew> few;
  const std::size_t count = node.count;
  Value* arguments = count <= kFew ? few.data() : evaluation.arena().array<Value>(count);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    arguments[i] = run(evaluation, child(node, i));
    bytes += arguments[i].weight();
  }
  if (!evaluation.spend(2 + bytes / Evaluation::kBytesPerStep)) return {};
  const CalledFunction& called = rare_->calls[node.at];
  return called.function->call(evaluation, Call{{arguments, count}, called.prepared.get()});
}

Value Program::run_chain(Evaluation& evaluation, const Node& node) const {
  Value value = run(evaluation, child(node, 0));
  for (std::size_t i = 0; i + 1 < node.count; ++i) {
    const Value right = run(evaluation, child(node, i + 1));
    if (!evaluation.spend((value.weight() + right.weight()) / Evaluation::kBytesPerStep)) return {};
    const Operator op = operators_[node.at + i];
    value = op >= Operator::add ? arithmetic(evaluation, op, value, right, options_.integer_division)
                                : compare(evaluation, op, value, right);
  }
  return value;
}

/// Three-valued: what decides the result (false for AND, true for OR) wins over Undefined, otherwise Undefined stays.
Value Program::run_logical(Evaluation& evaluation, const Node& node) const {
  const bool deciding = node.op == Op::logical_or;
  bool undefined = false;
  for (std::size_t i = 0; i < node.count; ++i) {
    const auto truth = to_boolean(evaluation, run(evaluation, child(node, i)));
    if (!truth) {
      undefined = true;
    } else if (*truth == deciding) {
      return Value::boolean(deciding);
    }
  }
  return undefined ? Value() : Value::boolean(!deciding);
}

/// What is Undefined is left out here, not when it is written: positions, lengths and equality see what will be read.
Value Program::run_built(Evaluation& evaluation, const Node& node) const {
  std::size_t count = 0;
  if (node.op == Op::array) {
    Value* items = evaluation.arena().array<Value>(node.count);
    for (std::size_t i = 0; i < node.count; ++i) {
      items[count] = run(evaluation, child(node, i));
      count += items[count].is_undefined() ? 0 : 1;
    }
    return Value::array(items, count);
  }
  Member* members = evaluation.arena().array<Member>(node.count);
  for (std::size_t i = 0; i < node.count; ++i) {
    members[count] = Member{rare_->names[node.at + i], run(evaluation, child(node, i))};
    count += members[count].value.is_undefined() ? 0 : 1;
  }
  return Value::object(members, count);
}

Value Program::run_when(Evaluation& evaluation, const Node& node) const {
  const Value subject = run(evaluation, child(node, 0));
  if (subject.is_undefined()) return {};
  const std::size_t tests = node.count - (node.flag ? 1 : 0);
  for (std::size_t at = 1; at + 1 < tests; at += 2) {
    const Value test = run(evaluation, child(node, at));
    if (!evaluation.spend((subject.weight() + test.weight()) / Evaluation::kBytesPerStep)) return {};
    if (!test.is_undefined() && equal_values(evaluation, subject, test)) return run(evaluation, child(node, at + 1));
  }
  return node.flag ? run(evaluation, child(node, node.count - 1)) : Value();
}

Value Program::run_search(Evaluation& evaluation, const Node& node) const {
  const std::size_t tests = node.count - (node.flag ? 1 : 0);
  for (std::size_t at = 0; at + 1 < tests; at += 2) {
    if (run(evaluation, child(node, at)).is_true()) return run(evaluation, child(node, at + 1));
  }
  return node.flag ? run(evaluation, child(node, node.count - 1)) : Value();
}

/// An array gives an array of what is selected, an object what is selected of it, anything else Undefined.
Value Program::run_select(Evaluation& evaluation, const Node& node) const {
  const Selection& selection = rare_->selects[node.at];
  const Value source = run(evaluation, nodes_[selection.source]);
  if (source.type() == Value::Type::object) return select_one(evaluation, selection, source);
  if (source.type() != Value::Type::array) return {};
  std::size_t count = 0;
  for (ArrayItems items(source); items.next();) ++count;
  if (!evaluation.spend(count)) return {};
  Value* kept = evaluation.arena().array<Value>(count);
  std::size_t size = 0;
  ArrayItems items(source);
  while (const auto item = items.next()) {
    const Value value = select_one(evaluation, selection, *item);
    if (!value.is_undefined()) kept[size++] = value;
  }
  return Value::array(kept, size);
}

Value Program::select_one(Evaluation& evaluation, const Selection& selection, const Value& element) const {
  evaluation.element(selection.element) = element;
  if (selection.has_condition && !run(evaluation, nodes_[selection.condition]).is_true()) return {};
  if (selection.value_only) return run(evaluation, nodes_[selection.items.front().node]);
  if (selection.items.empty()) return element;
  OutputTree tree(evaluation.arena());
  if (selection.star) {
    if (element.type() != Value::Type::object) return {};
    if (!evaluation.spend(element.members_to_search() * selection.items.size() / 8)) return {};
    tree.add_members(element);
  }
  for (const SelectedItem& item : selection.items) {
    const Value value = run(evaluation, nodes_[item.node]);
    if (!value.is_undefined()) tree.set(item.name, value);
  }
  return tree.value();
}

}  // namespace millrace::sql
