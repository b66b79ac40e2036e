// Program: one compiled expression (or the expressions of one statement): nodes in one array, children by index, paths
// as slots, functions as pointers, constants ready. Immutable; shared by all threads. Evaluation never fails and never
// throws.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sql/arena.h"
#include "sql/ast.h"
#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/paths.h"
#include "sql/version.h"

namespace millrace::sql {

class Program {
 public:
  using NodeIndex = std::uint32_t;

  explicit Program(const Options& options) : options_(options), constants_(std::make_unique<Arena>(kConstantChunk)) {}

  /// Adds an expression; the answer is what evaluate() takes. `text` is the source, for errors. Error: invalid_argument
  /// with position: unknown function, wrong number of arguments, a number out of range.
  Result<NodeIndex> compile(const Expression& expression, std::string_view text, Paths& paths);

  [[nodiscard]] Value evaluate(Evaluation& evaluation, NodeIndex index) const {
    evaluation.version = options_.version;
    return run(evaluation, nodes_[index]);
  }
  /// True when some expression reads a member of the payload, so that it must be JSON.
  [[nodiscard]] bool reads_members() const { return reads_members_; }
  [[nodiscard]] bool is_constant(NodeIndex index) const { return nodes_[index].op == Op::constant; }

 private:
  static constexpr std::size_t kConstantChunk = 256;
  enum class Op : std::uint8_t {
    constant,
    slot,
    payload_json,
    payload_bytes,
    member,
    call,
    negate,
    logical_not,
    logical_and,
    logical_or,
    chain,
    array,
    object,
    when,
  };
  struct Node {
    Op op = Op::constant;
    bool has_else = false;
    std::uint32_t slot = 0;
    std::vector<NodeIndex> children;
    std::vector<Operator> operators;
    std::vector<std::string> names;
    Value constant;
    const Function* function = nullptr;
    std::shared_ptr<const Prepared> prepared;
  };
  struct Source {
    std::string_view text;
    Paths& paths;
  };
  Result<Node> translate(const Expression& expression, Source& source, bool raw_payload);
  Result<Node> translate_call(const Expression& expression, Source& source);
  Result<Value> constant_number(const Expression& expression, const Source& source);
  [[nodiscard]] std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }

  [[nodiscard]] Value run(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_call(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_chain(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_logical(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_built(Evaluation& evaluation, const Node& node) const;
  [[nodiscard]] Value run_when(Evaluation& evaluation, const Node& node) const;

  Options options_;
  std::vector<Node> nodes_;
  std::deque<std::string> texts_;
  std::unique_ptr<Arena> constants_;
  bool reads_members_ = false;
};

}  // namespace millrace::sql
