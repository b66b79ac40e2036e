// ActionResolver: the templates of one action resolved for the evaluation's message. What does not resolve, and what
// names nothing that may be sent to, becomes a failure. Thread: the evaluation's owner. Private to Evaluator.
#pragma once

#include <optional>

#include "rules/compiled_rule.h"
#include "rules/delivery.h"
#include "rules/error_message.h"
#include "rules/evaluator.h"

namespace millrace::rules {

/// A deferred action's request, and what decides its place among others.
struct ResolvedRequest {
  std::size_t action = 0;
  DeliveryRequest request;
  std::string_view key;
  std::uint32_t destination = 0;
};

class ActionResolver {
 public:
  ActionResolver(sql::Evaluation& evaluation, const sql::Program& program, const CompiledAction& action)
      : evaluation_(evaluation), program_(program), action_(action) {}

  /// Of an action that is not deferred. False: `failure` says why. Everything is in the evaluation's arena.
  bool resolve(RuleOutput& out, Failure& failure);
  /// Of a deferred one, for the rule's output `value`.
  bool resolve(std::string_view value, ResolvedRequest& out, Failure& failure);

 private:
  bool fail(std::string_view message);
  bool text(const TemplateText& source, std::string_view what, std::string_view& out);
  /// True, and `out` as it was, when there is no template.
  bool given(const std::optional<TemplateText>& source, std::string_view what, std::string_view& out) {
    return !source || text(*source, what, out);
  }
  bool kafka(RuleOutput& out);
  bool republish(RuleOutput& out);
  bool properties(RuleOutput& out);
  bool answer(ResolvedRequest& out);

  sql::Evaluation& evaluation_;
  const sql::Program& program_;
  const CompiledAction& action_;
  Failure* failure_ = nullptr;
};

}  // namespace millrace::rules
