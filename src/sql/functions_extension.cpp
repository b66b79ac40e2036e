// The operators that AWS's language does not have: IN, LIKE, BETWEEN, IS NULL. Three-valued like AND and OR: what
// cannot be decided because something is Undefined is Undefined.
#include <array>

#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/operators.h"

namespace millrace::sql {

namespace {

/// x IN (a, b, ...): whether x = a, or x = b, ...
Value in_list(Evaluation& evaluation, const Call& call) {
  const Value& subject = call.arguments[0];
  if (subject.is_undefined()) return {};
  bool undefined = false;
  for (const Value& candidate : call.arguments.subspan(1)) {
    if (candidate.is_undefined()) {
      undefined = true;
    } else if (equal_values(evaluation, subject, candidate)) {
      return Value::boolean(true);
    }
  }
  return undefined ? Value() : Value::boolean(false);
}

/// x IN array
Value in_array(Evaluation& evaluation, const Call& call) {
  const Value& subject = call.arguments[0];
  if (subject.is_undefined() || call.arguments[1].type() != Value::Type::array) return {};
  ArrayItems items(call.arguments[1]);
  while (const auto item = items.next()) {
    if (equal_values(evaluation, subject, *item)) return Value::boolean(true);
  }
  return evaluation.exhausted() ? Value() : Value::boolean(false);
}

std::size_t character_size(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) ++size;
  return size;
}

/// % stands for any characters, _ for one. When a character does not fit, the last % takes one more.
bool matches(std::string_view text, std::string_view pattern) {
  std::size_t at = 0;
  std::size_t in_pattern = 0;
  std::size_t taken = 0;
  std::size_t behind_any = std::string_view::npos;
  while (at < text.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '%') {
      behind_any = ++in_pattern;
      taken = at;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == '_') {
      at += character_size(text.substr(at));
      ++in_pattern;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == text[at]) {
      ++at;
      ++in_pattern;
    } else if (behind_any != std::string_view::npos) {
      in_pattern = behind_any;
      taken += character_size(text.substr(taken));
      at = taken;
    } else {
      return false;
    }
  }
  while (in_pattern < pattern.size() && pattern[in_pattern] == '%') ++in_pattern;
  return in_pattern == pattern.size();
}

Value like(Evaluation& evaluation, const Call& call) {
  const auto text = to_text(evaluation.arena(), call.arguments[0]);
  const auto pattern = to_text(evaluation.arena(), call.arguments[1]);
  if (!text || !pattern) return {};
  // A literal behind % may be compared at every place of the text.
  const std::size_t first_any = pattern->find('%');
  if (first_any != std::string_view::npos && first_any + 1 < pattern->size()) {
    if (!evaluation.spend(text->size() * (pattern->size() - first_any) / 16)) return {};
  }
  return Value::boolean(matches(*text, *pattern));
}

/// low <= x AND x <= high
Value between(Evaluation& evaluation, const Call& call) {
  const auto low =
      to_boolean(evaluation, compare(evaluation, Operator::greater_equal, call.arguments[0], call.arguments[1]));
  const auto high =
      to_boolean(evaluation, compare(evaluation, Operator::less_equal, call.arguments[0], call.arguments[2]));
  if ((low && !*low) || (high && !*high)) return Value::boolean(false);
  return low && high ? Value::boolean(true) : Value();
}

/// A member that is not there is as good as null here; isNull() tells the two apart.
Value is_null(Evaluation& /*evaluation*/, const Call& call) {
  return Value::boolean(call.arguments[0].is_null() || call.arguments[0].is_undefined());
}

constexpr std::array kTests = {
    Function{.name = "IN", .min_arguments = 2, .max_arguments = kAnyArguments, .call = in_list},
    Function{.name = "IN ARRAY", .min_arguments = 2, .max_arguments = 2, .call = in_array},
    Function{.name = "LIKE", .min_arguments = 2, .max_arguments = 2, .call = like},
    Function{.name = "BETWEEN", .min_arguments = 3, .max_arguments = 3, .call = between},
    Function{.name = "IS NULL", .min_arguments = 1, .max_arguments = 1, .call = is_null},
};

}  // namespace

std::span<const Function> test_functions() {
  return kTests;
}

}  // namespace millrace::sql
