// Functions that ask somebody else: AWS's calls to its own services, in their local meaning. Names of tables and
// functions are constants, so that a rule that names what does not exist is refused when it is made.
#include <array>
#include <string>

#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/lexer.h"
#include "sql/operators.h"

namespace millrace::sql {

namespace {

using Kind = Reference::Kind;

constexpr std::string_view kNobody = "nothing is asked while a rule is only tried";

/// Tables that stand for AWS's registry and shadows.
constexpr std::string_view kShadows = "thing_shadows";
constexpr std::string_view kThings = "things";
constexpr std::string_view kThingGroups = "thing_groups";

struct Named final : Prepared {
  Named(Kind kind_in, std::string_view name_in) : kind(kind_in), name(name_in) {}
  [[nodiscard]] std::optional<Reference> reference() const override { return Reference{kind, name}; }
  Kind kind;
  std::string name;
};

using Constants = std::span<const std::optional<Value>>;

std::optional<std::string_view> constant_text(Constants constants, std::size_t at) {
  if (at >= constants.size() || !constants[at] || !constants[at]->is_string()) return std::nullopt;
  return constants[at]->source();
}

std::shared_ptr<const Prepared> prepare_table(Constants constants, std::string& problem) {
  const auto name = constant_text(constants, 0);
  if (!name) problem = "the name of the table is a constant, in quotes";
  return name ? std::make_shared<Named>(Kind::table, *name) : nullptr;
}

std::shared_ptr<const Prepared> prepare_shadow(Constants /*constants*/, std::string& /*problem*/) {
  return std::make_shared<Named>(Kind::table, kShadows);
}

std::shared_ptr<const Prepared> prepare_registry(Constants constants, std::string& problem) {
  const auto what = constant_text(constants, 0);
  if (what == "DescribeThing") return std::make_shared<Named>(Kind::table, kThings);
  if (what == "ListThingGroupsForThing") return std::make_shared<Named>(Kind::table, kThingGroups);
  problem = "the first argument of get_registry_data is 'DescribeThing' or 'ListThingGroupsForThing'";
  return nullptr;
}

/// A name, or an ARN that ends with it.
std::shared_ptr<const Prepared> prepare_function(Constants constants, std::string& problem) {
  const auto given = constant_text(constants, 0);
  if (!given) {
    problem = "the name of the function is a constant, in quotes";
    return nullptr;
  }
  constexpr std::string_view kMark = ":function:";
  std::string_view name = *given;
  if (const std::size_t at = name.find(kMark); name.starts_with("arn:") && at != std::string_view::npos) {
    name.remove_prefix(at + kMark.size());
    name = name.substr(0, name.find(':'));
  }
  return std::make_shared<Named>(Kind::function, name);
}

/// JSON becomes a value whose members can be named, other text a string.
Value value_of(Evaluation& evaluation, std::string_view text) {
  if (!evaluation.spend(text.size() / 16)) return {};
  JsonDocument* const document = evaluation.extra_document();
  if (document == nullptr) return {};
  return document->parse(text) ? Value::of(*document, JsonDocument::kRoot) : Value::string(text);
}

Value ask(Evaluation& evaluation, const Question& question) {
  Outside* const outside = evaluation.outside();
  if (outside == nullptr) {
    evaluation.note(question, {Outside::State::failed, kNobody});
    return {};
  }
  // A function may have effects: it is called only when all that was asked in front of it is answered.
  if (question.kind == Kind::function && (evaluation.waits() || !evaluation.problem().empty())) return {};
  const Outside::Answer answer = outside->ask(question);
  if (answer.state == Outside::State::known) return value_of(evaluation, answer.text);
  evaluation.note(question, answer);
  return {};
}

Value row(Evaluation& evaluation, const Call& call, std::size_t key, std::optional<std::size_t> sort) {
  Question question;
  question.name = static_cast<const Named&>(*call.prepared).name;
  const auto text = to_text(evaluation.arena(), call.arguments[key]);
  if (!text) return {};
  question.argument = *text;
  if (sort) {
    question.sort = to_text(evaluation.arena(), call.arguments[*sort]);
    if (!question.sort) return {};
  }
  return ask(evaluation, question);
}

/// get_dynamodb(table, keyName, key[, sortName, sort][, role]): what AWS calls the columns, and its role, have no
/// meaning here.
Value get_dynamodb(Evaluation& evaluation, const Call& call) {
  constexpr std::size_t kSorted = 5;
  constexpr std::size_t kSort = 4;
  return row(evaluation, call, 2, call.arguments.size() < kSorted ? std::nullopt : std::optional(kSort));
}

/// get_thing_shadow(thing[, shadow], role)
Value get_thing_shadow(Evaluation& evaluation, const Call& call) {
  return row(evaluation, call, 0, call.arguments.size() < 3 ? std::nullopt : std::optional<std::size_t>(1));
}

Value get_registry_data(Evaluation& evaluation, const Call& call) {
  return row(evaluation, call, 1, std::nullopt);
}

Value lookup(Evaluation& evaluation, const Call& call) {
  return row(evaluation, call, 1, call.arguments.size() < 3 ? std::nullopt : std::optional<std::size_t>(2));
}

Value aws_lambda(Evaluation& evaluation, const Call& call) {
  if (call.arguments[1].is_undefined()) return {};
  TextWriter payload(evaluation.arena(), 256);
  write_json(payload, evaluation.arena(), call.arguments[1]);
  if (payload.overflowed()) return {};
  const std::string_view text = payload.finish();
  if (!evaluation.spend(text.size() / 16)) return {};
  return ask(evaluation, {Kind::function, static_cast<const Named&>(*call.prepared).name, text});
}

constexpr Version k2016 = Version::v2016_03_23;

constexpr std::array kFunctions = {
    Function{
        .name = "get_dynamodb", .min_arguments = 3, .max_arguments = 6, .call = get_dynamodb, .prepare = prepare_table},
    Function{.name = "get_thing_shadow",
             .min_arguments = 1,
             .max_arguments = 3,
             .call = get_thing_shadow,
             .prepare = prepare_shadow},
    Function{.name = "get_registry_data",
             .min_arguments = 2,
             .max_arguments = 3,
             .since = k2016,
             .call = get_registry_data,
             .prepare = prepare_registry},
    Function{
        .name = "aws_lambda", .min_arguments = 2, .max_arguments = 2, .call = aws_lambda, .prepare = prepare_function},
    Function{.name = "lookup",
             .min_arguments = 2,
             .max_arguments = 3,
             .call = lookup,
             .prepare = prepare_table,
             .extension = true},
};

}  // namespace

std::string_view to_string(Reference::Kind kind) {
  switch (kind) {
    case Kind::table:
      return "table";
    case Kind::function:
      return "function";
    case Kind::descriptor:
      break;
  }
  return "descriptor";
}

std::span<const Function> outside_functions() {
  return kFunctions;
}

}  // namespace millrace::sql
