// Program: the compiled expressions of one rule: nodes in one array, children by index, paths as slots, functions as
// pointers, constants ready. Immutable once sealed; shared by all threads. Evaluation never fails and never throws;
// what it costs is bounded by the evaluation's fuel.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sql/ast.h"
#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/paths.h"
#include "sql/version.h"

namespace millrace::sql {

class Program {
 public:
  using NodeIndex = std::uint32_t;

  /// `paths` outlives the program.
  Program(const Options& options, Paths& paths) : options_(options), paths_(&paths) {}

  /// Adds an expression; the answer is what evaluate() takes. `text` is the source, for errors. Error: invalid_argument
  /// with position: unknown function, wrong number of arguments, a number out of range.
  Result<NodeIndex> compile(const Expression& expression, std::string_view text);
  /// From here on @name is Evaluation::variable(the answer).
  std::uint32_t declare_variable(std::string_view name);
  /// From here on `name` is Evaluation::element(the answer), what FOREACH stands at.
  std::uint32_t declare_element(std::string_view name);
  /// Nothing will be compiled any more: gives back what only compiling needs.
  void seal();

  [[nodiscard]] Value evaluate(Evaluation& evaluation, NodeIndex index) const {
    evaluation.version = options_.version;
    return run(evaluation, nodes_[index]);
  }
  /// True when some expression reads a member of the payload, so that it must be JSON.
  [[nodiscard]] bool reads_members() const { return reads_members_; }
  /// What its calls need from outside of the message. Views into the program.
  [[nodiscard]] std::vector<Reference> references() const;
  /// True when some call may have to wait for its answer.
  [[nodiscard]] bool asks() const { return asks_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] Paths& paths() const { return *paths_; }
  /// Bytes on the heap, about.
  [[nodiscard]] std::size_t memory() const;

 private:
  enum class Op : std::uint8_t {
    constant,  // at: constants_
    slot,      // at: members_, first: number of the slot
    element,   // at: number of the element
    variable,  // at: number of the variable
    payload_json,
    payload_bytes,
    member,  // at: names, count of them; first: the node whose member it is
    call,    // at: calls
    negate,
    logical_not,
    logical_and,
    logical_or,
    chain,  // at: operators_
    array,
    object,  // at: names
    when,    // flag: has ELSE
    search,  // flag: has ELSE
    select,  // at: selects
  };
  struct Node {
    Op op = Op::constant;
    bool flag = false;
    std::uint32_t at = 0;
    std::uint32_t first = 0;  // children_
    std::uint32_t count = 0;
  };
  struct CalledFunction {
    const Function* function = nullptr;
    std::shared_ptr<const Prepared> prepared;
  };
  struct SelectedItem {
    NodeIndex node = 0;
    std::vector<std::string_view> name;  // several: AS a.b
  };
  /// A nested SELECT.
  struct Selection {
    NodeIndex source = 0;
    NodeIndex condition = 0;
    bool has_condition = false;
    bool star = false;
    bool value_only = false;
    std::uint32_t element = 0;
    std::vector<SelectedItem> items;
  };
  /// What names mean while an expression is compiled.
  struct Scope {
    std::string name;  // empty: every name is a member of the element (nested SELECT)
    std::uint32_t element = 0;
  };

  Result<Node> translate(const Expression& expression, std::string_view text, bool raw_payload);
  Result<Node> translate_call(const Expression& expression, std::string_view text);
  Result<Node> translate_select(const Expression& expression, std::string_view text);
  Node translate_star(bool raw_payload);
  Result<void> add_children(Node& node, const std::vector<Expression>& arguments, std::string_view text,
                            bool raw_payload);
  Result<Node> constant_number(const Expression& expression, std::string_view text);
  Node translate_path(const Expression& expression);
  Node constant(const Value& value);
  Node member_of(Node parent, std::span<const std::string> names);
  NodeIndex add(const Node& node);

  [[nodiscard]] const Node& child(const Node& node, std::size_t i) const { return nodes_[children_[node.first + i]]; }
  [[nodiscard]] Value run(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_call(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_chain(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_logical(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_built(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_when(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_search(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_select(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value select_one(Evaluation& evaluation, const Selection& selection, const Value& element) const;

  friend class NecessaryConditions;

  Options options_;
  Paths* paths_;
  std::vector<Node> nodes_;
  std::vector<NodeIndex> children_;
  std::vector<Operator> operators_;
  std::vector<Value> constants_;
  std::vector<const Paths::Path*> members_;
  bool reads_members_ = false;
  bool asks_ = false;

  /// What simple rules have none of; null then, once sealed.
  struct Rare {
    std::vector<CalledFunction> calls;
    std::vector<std::string_view> names;
    std::vector<Selection> selects;
  };
  std::unique_ptr<Rare> rare_ = std::make_unique<Rare>();

  struct Declared {
    std::vector<std::string> variables;
    std::vector<Scope> scopes;
  };
  std::unique_ptr<Declared> declared_ = std::make_unique<Declared>();
};

/// The name of an item without AS: the last of its path, or its function. Empty: it has none.
std::vector<std::string> implied_name(const Expression& expression);

}  // namespace millrace::sql
