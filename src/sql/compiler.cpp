// Program's first half: from the syntax tree to nodes with slots, functions and constants.
#include <fmt/format.h>

#include <algorithm>
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

std::vector<std::string> implied_name(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::path:
    case Expression::Kind::member:
    case Expression::Kind::variable:
      return {expression.names.back()};
    case Expression::Kind::call:
      return {expression.text};
    default:
      return {};
  }
}

Result<Program::NodeIndex> Program::compile(const Expression& expression, std::string_view text) {
  MR_TRY_ASSIGN(const Node node, translate(expression, text, false));
  return add(node);
}

Program::NodeIndex Program::add(const Node& node) {
  nodes_.push_back(node);
  return static_cast<NodeIndex>(nodes_.size() - 1);
}

std::uint32_t Program::declare_variable(std::string_view name) {
  declared_->variables.emplace_back(name);
  return static_cast<std::uint32_t>(declared_->variables.size() - 1);
}

std::uint32_t Program::declare_element(std::string_view name) {
  const auto number = static_cast<std::uint32_t>(declared_->scopes.size());
  declared_->scopes.push_back(Scope{std::string(name), number});
  return number;
}

void Program::seal() {
  declared_.reset();
  nodes_.shrink_to_fit();
  children_.shrink_to_fit();
  operators_.shrink_to_fit();
  constants_.shrink_to_fit();
  members_.shrink_to_fit();
  rare_->calls.shrink_to_fit();
  rare_->names.shrink_to_fit();
  rare_->selects.shrink_to_fit();
  if (rare_->calls.empty() && rare_->names.empty() && rare_->selects.empty()) rare_.reset();
}

std::vector<Reference> Program::references() const {
  std::vector<Reference> out;
  if (!rare_) return out;
  for (const CalledFunction& called : rare_->calls) {
    if (const auto reference = called.prepared ? called.prepared->reference() : std::nullopt) out.push_back(*reference);
  }
  return out;
}

std::size_t Program::memory() const {
  return nodes_.capacity() * sizeof(Node) + children_.capacity() * sizeof(NodeIndex) + operators_.capacity() +
         constants_.capacity() * sizeof(Value) + members_.capacity() * sizeof(void*) +
         (rare_ ? sizeof(Rare) + rare_->calls.capacity() * sizeof(CalledFunction) +
                      rare_->names.capacity() * sizeof(std::string_view) + rare_->selects.capacity() * sizeof(Selection)
                : 0);
}

Program::Node Program::constant(const Value& value) {
  Node node;
  node.at = static_cast<std::uint32_t>(constants_.size());
  constants_.push_back(value);
  return node;
}

Result<Program::Node> Program::constant_number(const Expression& expression, std::string_view text) {
  const auto number = Decimal::parse(expression.text);
  if (!number) return refuse(text, expression.at, fmt::format("the number {} is too large", expression.text));
  return constant(Value::number_source(paths_->keep(without_leading_zeros(expression.text))));
}

Program::Node Program::member_of(Node parent, std::span<const std::string> names) {
  if (names.empty()) return parent;
  Node node;
  node.op = Op::member;
  node.first = add(parent);
  node.at = static_cast<std::uint32_t>(rare_->names.size());
  node.count = static_cast<std::uint32_t>(names.size());
  for (const std::string& name : names) rare_->names.push_back(paths_->keep(name));
  return node;
}

/// A path means a member of the innermost nested SELECT's element, or of what FOREACH calls by its first name, or of
/// the payload.
Program::Node Program::translate_path(const Expression& expression) {
  const auto& scopes = declared_->scopes;
  const std::span<const std::string> names(expression.names);
  Node node;
  node.op = Op::element;
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    if (scope->name != names.front()) continue;
    node.at = scope->element;
    return member_of(node, names.subspan(1));
  }
  if (!scopes.empty() && scopes.back().name.empty()) {
    node.at = scopes.back().element;
    return member_of(node, names);
  }
  const Paths::Slot slot = paths_->intern(expression.names);
  node.op = Op::slot;
  node.first = slot.index;
  node.at = static_cast<std::uint32_t>(members_.size());
  members_.push_back(slot.path);
  reads_members_ = true;
  return node;
}

Program::Node Program::translate_star(bool raw_payload) {
  Node node;
  const auto& scopes = declared_->scopes;
  if (!scopes.empty() && scopes.back().name.empty()) {
    node.op = Op::element;
    node.at = scopes.back().element;
    return node;
  }
  node.op = raw_payload ? Op::payload_bytes : Op::payload_json;
  reads_members_ = reads_members_ || !raw_payload;
  return node;
}

Result<void> Program::add_children(Node& node, const std::vector<Expression>& arguments, std::string_view text,
                                   bool raw_payload) {
  std::vector<NodeIndex> indices;
  indices.reserve(arguments.size());
  for (const Expression& argument : arguments) {
    MR_TRY_ASSIGN(const Node translated, translate(argument, text, raw_payload));
    indices.push_back(add(translated));
  }
  node.first = static_cast<std::uint32_t>(children_.size());
  node.count = static_cast<std::uint32_t>(indices.size());
  children_.insert(children_.end(), indices.begin(), indices.end());
  return {};
}

Result<Program::Node> Program::translate_call(const Expression& expression, std::string_view text) {
  const bool is_test = expression.kind == Expression::Kind::test;
  const Function* function = is_test ? find_test(expression.text) : find_function(expression.text);
  if (function == nullptr) {
    if (const std::string_view reason = missing_function(expression.text); !reason.empty()) {
      return refuse(text, expression.at, fmt::format("the function {} {}", expression.text, reason));
    }
    const std::string_view near = nearest_function(expression.text);
    return refuse(text, expression.at,
                  near.empty() ? fmt::format("there is no function {}", expression.text)
                               : fmt::format("there is no function {}; did you mean {}?", expression.text, near));
  }
  if (function->since > options_.version) {
    return refuse(text, expression.at, fmt::format("{} needs awsIotSqlVersion 2016-03-23", expression.text));
  }
  if (function->extension && options_.dialect == Dialect::strict) {
    return refuse(text, expression.at,
                  fmt::format("{} is no part of AWS's language, and this rule is held to it (strict)", function->name));
  }
  const std::size_t count = expression.arguments.size();
  if (count < function->min_arguments ||
      (function->max_arguments != kAnyArguments && count > function->max_arguments)) {
    return refuse(text, expression.at,
                  fmt::format("{} takes {} argument{}, found {}", expression.text, describe_arity(*function),
                              function->max_arguments == 1 ? "" : "s", count));
  }
  Node node;
  node.op = Op::call;
  MR_TRY(add_children(node, expression.arguments, text, function->raw_payload));
  CalledFunction called;
  called.function = function;
  if (function->prepare != nullptr) {
    std::vector<std::optional<Value>> constants;
    for (std::size_t i = 0; i < node.count; ++i) {
      const Node& argument = child(node, i);
      constants.push_back(argument.op == Op::constant ? std::optional(constants_[argument.at]) : std::nullopt);
    }
    std::string problem;
    called.prepared = function->prepare(constants, problem);
    if (!problem.empty()) return refuse(text, expression.at, problem);
    const auto reference = called.prepared ? called.prepared->reference() : std::nullopt;
    asks_ = asks_ || (reference && reference->kind != Reference::Kind::descriptor);
  }
  node.at = static_cast<std::uint32_t>(rare_->calls.size());
  rare_->calls.push_back(std::move(called));
  return node;
}

Result<Program::Node> Program::translate_select(const Expression& expression, std::string_view text) {
  if (options_.version == Version::v2015_10_08) {
    return refuse(text, expression.at, "a nested SELECT needs awsIotSqlVersion 2016-03-23");
  }
  const SelectStatement& statement = *expression.nested;
  Selection selection;
  selection.value_only = statement.value_only;
  MR_TRY_ASSIGN(selection.source, compile(*statement.source, text));
  selection.element = declare_element("");
  if (selection.element >= Evaluation::kMaxElements) {
    return refuse(text, expression.at, "SELECT is nested more than 8 levels deep");
  }
  if (statement.where) {
    selection.has_condition = true;
    MR_TRY_ASSIGN(selection.condition, compile(*statement.where, text));
  }
  for (const SelectItem& item : statement.items) {
    if (item.value.kind == Expression::Kind::star && item.alias.empty() && !statement.value_only) {
      selection.star = true;
      continue;
    }
    SelectedItem out;
    MR_TRY_ASSIGN(out.node, compile(item.value, text));
    const auto name = item.alias.empty() ? implied_name(item.value) : item.alias;
    if (name.empty() && !statement.value_only) return refuse(text, item.at, "this item needs a name: ... AS name");
    for (const std::string& part : name) out.name.push_back(paths_->keep(part));
    selection.items.push_back(std::move(out));
  }
  declared_->scopes.pop_back();
  Node node;
  node.op = Op::select;
  node.at = static_cast<std::uint32_t>(rare_->selects.size());
  rare_->selects.push_back(std::move(selection));
  return node;
}

Result<Program::Node> Program::translate(const Expression& expression, std::string_view text, bool raw_payload) {
  using Kind = Expression::Kind;
  struct Row {
    Kind kind;
    Op op;
  };
  static constexpr Row kOperations[] = {{Kind::negate, Op::negate},
                                        {Kind::logical_not, Op::logical_not},
                                        {Kind::logical_and, Op::logical_and},
                                        {Kind::logical_or, Op::logical_or},
                                        {Kind::chain, Op::chain},
                                        {Kind::array, Op::array},
                                        {Kind::object, Op::object},
                                        {Kind::when, Op::when},
                                        {Kind::search, Op::search}};
  switch (expression.kind) {
    case Kind::null:
      return constant(Value::null());
    case Kind::boolean:
      return constant(Value::boolean(expression.truth));
    case Kind::string:
      return constant(Value::string(paths_->keep(expression.text)));
    case Kind::number:
      return constant_number(expression, text);
    case Kind::star:
      return translate_star(raw_payload);
    case Kind::path:
      return translate_path(expression);
    case Kind::variable: {
      const auto& known = declared_->variables;
      const auto found = std::find(known.begin(), known.end(), expression.names.front());
      if (found == known.end()) {
        return refuse(text, expression.at, fmt::format("@{} is not SET in front of here", expression.names.front()));
      }
      Node node;
      node.op = Op::variable;
      node.at = static_cast<std::uint32_t>(found - known.begin());
      return member_of(node, std::span(expression.names).subspan(1));
    }
    case Kind::member: {
      MR_TRY_ASSIGN(const Node parent, translate(expression.arguments[0], text, false));
      return member_of(parent, expression.names);
    }
    case Kind::call:
    case Kind::test:
      return translate_call(expression, text);
    case Kind::select:
      return translate_select(expression, text);
    default:
      break;
  }
  Node node;
  node.op = std::find_if(std::begin(kOperations), std::end(kOperations), [&](const Row& row) {
              return row.kind == expression.kind;
            })->op;
  if ((node.op == Op::array || node.op == Op::object) && options_.version == Version::v2015_10_08) {
    return refuse(text, expression.at, "array and object literals need awsIotSqlVersion 2016-03-23");
  }
  node.flag = expression.truth;
  MR_TRY(add_children(node, expression.arguments, text, false));
  if (node.op == Op::object) {
    node.at = static_cast<std::uint32_t>(rare_->names.size());
    for (const std::string& name : expression.names) rare_->names.push_back(paths_->keep(name));
  } else if (node.op == Op::chain) {
    node.at = static_cast<std::uint32_t>(operators_.size());
    operators_.insert(operators_.end(), expression.operators.begin(), expression.operators.end());
  }
  return node;
}

}  // namespace millrace::sql
